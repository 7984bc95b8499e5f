"""Container engines behind one port: Docker and Podman, both spoken to in Docker's API."""
