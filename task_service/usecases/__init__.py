"""What task_service does, one class a verb."""
