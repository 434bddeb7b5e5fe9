"""Import worker: reads uploaded CSV files and streams their rows to task_service. It owns no data."""
