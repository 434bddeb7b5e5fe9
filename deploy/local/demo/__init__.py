"""Demo: the main use of the product, the import of a sample file, step by step on the terminal."""
