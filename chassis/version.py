"""Version of the product, which all services share."""

VERSION = "0.1.0"
