"""The demo: the main job of the product on a sample file."""
