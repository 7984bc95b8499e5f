"""``jupyter mlops``: every use case without a Jupyter server."""
