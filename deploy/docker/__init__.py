"""Image build, and the secrets generator of docker-compose.yml."""
