"""What the image says (``serve.json``) and what its surroundings set (environment variables)."""

import json
import os

from .errors import NotServable

SPEC = "/opt/mlops/serve.json"
MODEL_DIR = "/opt/ml/model"
KSERVE_DIR = "/mnt/models"
MEBIBYTE = 1024 * 1024


class Settings:
    """``spec`` is the content of serve.json; the rest are plain values with their defaults."""

    def __init__(self, environment=None):
        env = os.environ if environment is None else environment
        self.spec_path = env.get("MLOPS_SERVE_SPEC") or SPEC
        self.model_dir = _model_dir(env)
        self.storage = env.get("AIP_STORAGE_URI") or ""
        """Where Vertex AI has put the model for containers that fetch it."""
        self.model_name = env.get("MLOPS_MODEL_NAME") or ""
        """For protocols that have it in the path; empty for the package's own."""
        self.answer = env.get("MLOPS_ANSWER") or ""
        """``predictions`` to answer as MLflow does; empty for the prediction as it is."""
        self.health_route = env.get("AIP_HEALTH_ROUTE") or ""
        self.predict_route = env.get("AIP_PREDICT_ROUTE") or ""
        self.host = env.get("MLOPS_BIND_HOST") or "0.0.0.0"
        port = _number(env, "AIP_HTTP_PORT", _number(env, "PORT", 8080))
        self.port = _number(env, "SAGEMAKER_BIND_TO_PORT", port)
        workers = _number(env, "WORKER_COUNT", 0)
        self.workers = _number(env, "SAGEMAKER_MODEL_SERVER_WORKERS", workers)
        self.timeout = _number(env, "SAGEMAKER_MODEL_SERVER_TIMEOUT", 0)
        self.accept = env.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or "application/json"
        # Real-time requests have at most 25 MB, batch transform asks for up to 100.
        payload = _number(env, "SAGEMAKER_MAX_PAYLOAD_IN_MB", 0)
        self.max_body = _number(env, "MLOPS_MAX_BODY_MB", max(100, payload)) * MEBIBYTE
        self.max_queue = _number(env, "MLOPS_MAX_QUEUE", 1000)
        self.idle = _number(env, "MLOPS_IDLE_SECONDS", 300)
        """Seconds that a connection may be open between requests."""
        self.head = _number(env, "MLOPS_HEAD_SECONDS", 30)
        """Seconds that a request's head may take, once begun."""
        self.stall = _number(env, "MLOPS_STALL_SECONDS", 60)
        """Seconds without a byte of a body, or without a client taking more of an answer."""
        self._batch_size = _number(env, "MLOPS_BATCH_SIZE", -1)
        self._batch_wait = _number(env, "MLOPS_BATCH_WAIT_MS", -1)
        self.drain = min(28, _number(env, "MLOPS_DRAIN_SECONDS", 25))
        self.access_log = env.get("MLOPS_ACCESS_LOG", "") in ("1", "true", "yes")

    def batching(self, spec):
        """(requests at most in one call of the model, seconds to wait for them); 1 is none."""
        own = spec.get("batching") or {}
        size = self._batch_size if self._batch_size >= 0 else int(own.get("size", 1))
        wait = self._batch_wait if self._batch_wait >= 0 else float(own.get("wait_ms", 2))
        return max(1, min(1024, size)), wait / 1000

    def spec(self):
        """The content of serve.json; raises NotServable."""
        try:
            with open(self.spec_path, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError) as error:
            raise NotServable("%s cannot be read: %s" % (self.spec_path, error)) from error


def _model_dir(env):
    """Where the model is: as it is said, or where a platform has put one."""
    given = env.get("MLOPS_MODEL_DIR")
    if given:
        return given
    for folder in (MODEL_DIR, env.get("AZUREML_MODEL_DIR"), KSERVE_DIR):
        names = sorted(os.listdir(folder)) if folder and os.path.isdir(folder) else []
        if len(names) == 1 and os.path.isdir(os.path.join(folder, names[0], "code")):
            # Azure ML puts a registered folder into the model's folder, under its own name.
            return os.path.join(folder, names[0])
        if names:
            return folder
    return MODEL_DIR


def _number(env, name, default):
    """A whole number of a variable; what is not one is ignored."""
    text = (env.get(name) or "").strip()
    return int(text) if text.isdigit() else default
