"""Batch calls of TaskService."""

from taskmanager.tasks.v1 import task_pb2, task_service_pb2

Create = task_service_pb2.CreateTaskRequest
Update = task_service_pb2.UpdateTaskRequest
Delete = task_service_pb2.DeleteTaskRequest


def create_all(system, person, *titles: str, key: str = "", **fields):
    requests = [Create(task=task_pb2.Task(title=title, **fields)) for title in titles]
    batch = task_service_pb2.BatchCreateTasksRequest(requests=requests, idempotency_key=key)
    return system.tasks.BatchCreateTasks(batch, metadata=person.metadata)


def update_all(system, person, *requests: Update):
    batch = task_service_pb2.BatchUpdateTasksRequest(requests=requests)
    return system.tasks.BatchUpdateTasks(batch, metadata=person.metadata)


def delete_all(system, person, *requests: Delete):
    batch = task_service_pb2.BatchDeleteTasksRequest(requests=requests)
    return system.tasks.BatchDeleteTasks(batch, metadata=person.metadata)
