"""The documentation page and the text that opens the OpenAPI document."""
