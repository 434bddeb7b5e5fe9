# Connection pooler for Kubernetes: docker build -t taskmanager/pgbouncer -f deploy/docker/pgbouncer.Dockerfile .
# Its configuration is mounted: deploy/kubernetes/base/pgbouncer.yaml.
ARG DEBIAN_IMAGE=debian:bookworm-slim
FROM ${DEBIAN_IMAGE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends pgbouncer ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 app \
 && useradd --uid 10001 --gid app --no-create-home --shell /usr/sbin/nologin app
USER 10001
# pgbouncer lets transactions end after SIGINT. SIGTERM would abort them.
STOPSIGNAL SIGINT
CMD ["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"]
