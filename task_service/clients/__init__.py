"""What task_service calls: the object store, the broker, auth_service."""
