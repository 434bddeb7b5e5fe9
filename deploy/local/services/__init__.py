"""The product's services as supervised processes."""
