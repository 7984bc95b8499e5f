"""The REST interface and the events of the Jupyter server extension."""
