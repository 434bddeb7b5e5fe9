"""gRPC servicers: they translate between the contract and the use cases."""
