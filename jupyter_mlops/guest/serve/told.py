"""What a request's frame says beside its body."""

PREDICTIONS = "predictions"
"""Protocol: the answer is ``{"predictions": …}``, as KServe V1, Vertex AI and MLflow have it."""
V2 = "v2"
"""Protocol: KServe V2 (Open Inference Protocol) tensors, both ways."""

_FIELDS = 8


class Told:
    """The parts of a frame's meta as text, and the name of the front's run."""

    __slots__ = (
        "accept",
        "attributes",
        "coding",
        "content_type",
        "header_size",
        "identity",
        "model",
        "protocol",
        "run",
    )

    def __init__(self, meta, run):
        parts = [part.decode("latin-1") for part in meta.split(b"\x00")]
        parts += [""] * (_FIELDS - len(parts))
        self.content_type, self.accept, self.attributes, self.identity, self.coding = parts[:5]
        self.protocol, self.model, self.header_size = parts[5:_FIELDS]
        self.run = run
