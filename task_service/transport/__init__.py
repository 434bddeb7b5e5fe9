"""gRPC servicers: unpack, one use case, pack."""
