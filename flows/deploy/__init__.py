"""The deployments, as `prefect.yaml` defines them and as a server has them."""
