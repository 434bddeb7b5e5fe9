"""Names that compose and the manifests use, and that other parts of this release add."""

VARIABLES = {
    "AUTH_DATABASE_PREPARED_STATEMENTS",
    "IMPORT_WORKER_METRICS_LISTEN",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "TASKS_DIRECT_DATABASE_URL",
    "TASKS_DATABASE_PREPARED_STATEMENTS",
}
MODULES = {"auth_service.commands.provision", "task_service.commands.provision"}
FILES = {
    "deploy/observability/prometheus.yml",
    "deploy/observability/rules.yml",
    "deploy/observability/dashboards",
}
