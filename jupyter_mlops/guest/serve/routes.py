"""The paths that platforms ask: which we answer ourselves, and in which protocol a model is asked.

SageMaker, KServe V1 and V2, Vertex AI, Azure ML and MLflow: one image speaks to all of them.
"""

import json

from .errors import problem
from .told import PREDICTIONS, V2

EMPTY = (200, b"application/json", b"")
SERVER = {"name": "jupyter-mlops", "version": "1", "extensions": ["binary_tensor_data"]}
VERSION = "1"
"""Of the model, for clients that name one: an image serves one version."""


class Routes:
    """``own`` are our answers by path, each ``() -> (status, content type, body)``.

    ``ready`` is the answer that says whether the model can be asked.
    """

    def __init__(self, settings, spec, own, ready):
        self._ready = ready
        self.name = settings.model_name or spec.get("name") or "model"
        predictions = settings.answer or spec.get("answer") or ""
        self._asked = {
            "/invocations": _suffix(PREDICTIONS) if predictions == PREDICTIONS else b"",
            "/score": b"",
            "/predict": b"",
        }
        self._own = dict(own)
        for path in ("/healthz", "/livez"):
            self._own[path] = lambda: EMPTY
        for path in ("/ping", "/health", "/readyz"):
            self._own[path] = ready
        self._kserve(spec)
        if settings.health_route:
            self._own[settings.health_route] = ready
        if settings.predict_route:
            self._asked[settings.predict_route] = _suffix(PREDICTIONS)

    def _kserve(self, spec):
        name = self.name
        one = "/v1/models/" + name
        self._own["/"] = lambda: _json({"status": "alive"})
        self._own["/v1/models"] = lambda: _json({"models": [name]})
        self._own[one] = lambda: self._if_ready({"name": name, "ready": True})
        self._asked[one + ":predict"] = _suffix(PREDICTIONS)
        self._own["/v2"] = lambda: _json(SERVER)
        self._own["/v2/health/live"] = lambda: _json({"live": True})
        self._own["/v2/health/ready"] = lambda: self._if_ready({"ready": True})
        two = "/v2/models/" + name
        for path in (two, "%s/versions/%s" % (two, VERSION)):
            self._own[path] = lambda: _json(metadata(name, spec.get("model_schema")))
            self._own[path + "/ready"] = lambda: self._if_ready({"name": name, "ready": True})
            self._asked[path + "/infer"] = _suffix(V2, name)

    def _if_ready(self, value):
        answer = self._ready()
        return _json(value) if answer[0] == 200 else answer

    def read(self, head):
        """Add to a new head who answers it, and what workers have to know of its path."""
        suffix = self._asked.get(head.path)
        head.for_model = suffix is not None and head.method == "POST"
        if suffix:
            size = head.headers.get(b"inference-header-content-length", b"")
            head.meta += suffix + b"\x00" + size

    def answer(self, head):
        """(status, content type, body) of what is not ``for_model``."""
        path = head.path
        if path in self._asked:
            return problem(405, "%s takes POST requests." % path)
        own = self._own.get(path)
        if own is None:
            return problem(404, self._unknown(path))
        if head.method not in ("GET", "HEAD"):
            return problem(405, "%s takes GET requests." % path)
        return own()

    def _unknown(self, path):
        if path.startswith(("/v1/models/", "/v2/models/")):
            return "There is no %s here; the model is called %s." % (path, self.name)
        return "There is no %s here; requests go to /invocations." % path


def metadata(name, schema):
    """KServe V2's description of a model; of a schema that is known, its tensors."""
    schema = schema if isinstance(schema, dict) else {}
    return {
        "name": name,
        "versions": [VERSION],
        "platform": "jupyter-mlops",
        "inputs": _tensors(schema.get("input"), "input"),
        "outputs": _tensors(schema.get("output"), "predict"),
    }


def _tensors(schema, name):
    if not isinstance(schema, dict):
        return []
    if schema.get("type") == "table":
        return [
            {"name": column["name"], "datatype": _datatype(column["type"]), "shape": [-1]}
            for column in schema["columns"]
        ]
    if schema.get("type") == "array":
        shape = [-1 if size is None else size for size in schema["shape"]]
        return [{"name": name, "datatype": _datatype(schema["dtype"]), "shape": shape}]
    return []


def _datatype(kind):
    """V2's name of a NumPy or pandas type; what has none is text."""
    kind = kind.lower()
    if kind in ("bool", "boolean"):
        return "BOOL"
    for begin, name in (("uint", "UINT"), ("int", "INT"), ("float", "FP")):
        if kind.startswith(begin) and kind[len(begin) :] in ("8", "16", "32", "64"):
            return name + kind[len(begin) :]
    return "BYTES"


def _suffix(protocol, model=""):
    return b"\x00" + protocol.encode() + b"\x00" + model.encode()


def _json(value):
    return 200, b"application/json", json.dumps(value).encode()
