"""The JSON mapping of protobuf messages, compiled from the descriptors."""
