"""Manifest files of an InferenceService, for whoever runs the cluster."""

from __future__ import annotations

from shlex import quote
from typing import Any

from ..written.image_target import ImageTarget
from ..written.origin import Origin, yaml_file
from .options import Options

PORT = 8080
_PREFIX = "jupyter-mlops.io"
_MODES = {"Standard": "RawDeployment", "Knative": "Serverless"}
"""The words that every version of KServe takes; newer ones show those of the form."""


class KServeTarget(ImageTarget):
    name = "kserve"
    title = "KServe"
    description = "Manifest files for a Kubernetes cluster with KServe; the image is pushed."
    form = Options
    ask_instead = "Apply them, as README.md says, and ask the service."

    def check_name(self, name: str) -> None:
        """Names of deployments are DNS labels already."""

    def steps(self, chosen: Any) -> tuple[str, ...]:
        return (
            f"Write inferenceservice.yaml for the namespace {chosen.namespace}",
            "Write a README.md with the commands, a sample request, and checksums",
        )

    def files(self, origin: Origin, chosen: Any, request: str) -> dict[str, str]:
        assert isinstance(chosen, Options)
        files = {
            "README.md": readme(origin, chosen, request),
            "inferenceservice.yaml": yaml_file(origin, service(origin, chosen)),
        }
        if chosen.namespace != "default":
            files["namespace.yaml"] = yaml_file(origin, namespace(chosen))
        return files


def namespace(chosen: Options) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": chosen.namespace}}


def service(origin: Origin, chosen: Options) -> dict[str, Any]:
    """The InferenceService, serving.kserve.io/v1beta1."""
    amounts = {"cpu": chosen.cpu, "memory": chosen.memory}
    container = {
        "name": "kserve-container",
        "image": origin.image,
        # KServe's clients build paths with the service's name.
        "env": [{"name": "MLOPS_MODEL_NAME", "value": origin.name}],
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": _probe("/ping", 5),
        "livenessProbe": _probe("/healthz", 30),
        "resources": {"requests": amounts, "limits": dict(amounts)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    predictor: dict[str, Any] = {
        "minReplicas": chosen.min_replicas,
        "maxReplicas": chosen.max_replicas,
        "containers": [container],
    }
    if chosen.pull_secret:
        predictor["imagePullSecrets"] = [{"name": chosen.pull_secret}]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": origin.name,
            "namespace": chosen.namespace,
            "labels": {
                "app.kubernetes.io/name": origin.name,
                "app.kubernetes.io/managed-by": "jupyter-mlops",
            },
            "annotations": {
                "serving.kserve.io/deploymentMode": _MODES[chosen.mode],
                **{f"{_PREFIX}/{key}": value for key, value in origin.ids().items()},
            },
        },
        "spec": {"predictor": predictor},
    }


def _probe(path: str, seconds: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": PORT},
        "periodSeconds": seconds,
        "timeoutSeconds": 2,
    }


def readme(origin: Origin, chosen: Options, request: str) -> str:
    name, space = origin.name, chosen.namespace
    kind = quote(f"Content-Type: {origin.package.sample.content_type}")
    creating = "kubectl apply -f namespace.yaml\n" if space != "default" else ""
    secret = ""
    if chosen.pull_secret:
        host = origin.image.partition("/")[0]
        secret = f"""
The cluster pulls the image with the secret `{chosen.pull_secret}`. If it does not exist yet:

```bash
kubectl create secret docker-registry {chosen.pull_secret} --namespace {space} \\
  --docker-server={host} --docker-username=USER --docker-password=PASSWORD
```
"""
    return f"""# {name} on KServe

{origin.table()}
- `inferenceservice.yaml`: the service. The image is named by digest: what was researched is served.
- `namespace.yaml`: creates the namespace, unless that is `default`.
- `{request}`: a request that the notebook answered.
- `SHA256SUMS`: checksums of these files.
{secret}
```bash
{creating}kubectl apply --dry-run=server -f inferenceservice.yaml
kubectl apply -f inferenceservice.yaml
kubectl wait --for=condition=Ready --timeout=15m -n {space} inferenceservice/{name}
```

Ask it:

```bash
URL=$(kubectl get inferenceservice {name} -n {space} -o jsonpath='{{.status.url}}')
curl --data-binary @{request} -H {kind} "$URL/invocations"
```

KServe's own paths answer, too: `/v1/models/{name}:predict` and `/v2/models/{name}/infer`.

Delete it: `kubectl delete -f inferenceservice.yaml`
"""
