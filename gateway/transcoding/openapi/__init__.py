"""The OpenAPI document, built from the descriptors and the comments of the contract."""
