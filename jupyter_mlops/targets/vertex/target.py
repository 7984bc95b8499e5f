"""The commands that run a package on Google Vertex AI."""

from __future__ import annotations

import json
import re
from shlex import quote
from typing import Any

from ...core.errors import InvalidError
from ..written.image_target import ImageTarget
from ..written.origin import Origin, shell_file
from .options import Options

PORT = 8080
HEALTH, PREDICT = "/ping", "/predict"


class VertexTarget(ImageTarget):
    name = "vertex"
    title = "Google Vertex AI"
    description = "The gcloud commands that upload and deploy it; the image is pushed."
    form = Options
    ask_instead = "Run deploy.sh, as README.md says, and ask the endpoint."

    def check_name(self, name: str) -> None:
        if not re.match(r"^[a-z]", name):
            raise InvalidError(
                f"Vertex AI takes no model named {name!r}: names begin with a letter.",
                "Choose another name for the deployment.",
            )

    def steps(self, chosen: Any) -> tuple[str, ...]:
        return (
            f"Write deploy.sh and delete.sh for {chosen.project} in {chosen.region}",
            "Write model.json (the upload as the REST API takes it), a README.md, a sample "
            "request, and checksums",
        )

    def files(self, origin: Origin, chosen: Any, request: str) -> dict[str, str]:
        assert isinstance(chosen, Options)
        return {
            "README.md": readme(origin, chosen, request),
            "model.json": json.dumps(model(origin), indent=2) + "\n",
            "deploy.sh": shell_file(origin, _deploy(origin, chosen)),
            "ask.sh": shell_file(origin, _ask(origin, chosen, request)),
            "delete.sh": shell_file(origin, _delete(origin, chosen)),
        }


def model(origin: Origin) -> dict[str, Any]:
    """Body of ``projects.locations.models.upload``."""
    return {
        "modelId": origin.name,
        "model": {
            "displayName": origin.name,
            "description": _description(origin),
            "labels": {k: v for k, v in origin.ids().items() if k in ("package", "snapshot")},
            "containerSpec": {
                "imageUri": origin.image,
                "ports": [{"containerPort": PORT}],
                "healthRoute": HEALTH,
                "predictRoute": PREDICT,
            },
        },
    }


def _description(origin: Origin) -> str:
    return " / ".join(origin.lines())


def _where(chosen: Options) -> str:
    return f"--project={chosen.project} --region={chosen.region}"


def _deploy(origin: Origin, chosen: Options) -> str:
    where, name = _where(chosen), origin.name
    return f"""gcloud ai models upload {where} \\
  --model-id={name} \\
  --display-name={name} \\
  --description={quote(_description(origin))} \\
  --container-image-uri={origin.image} \\
  --container-ports={PORT} \\
  --container-health-route={HEALTH} \\
  --container-predict-route={PREDICT}

endpoint=$(gcloud ai endpoints create {where} \\
  --display-name={name} \\
  --labels=package={origin.package.id},snapshot={origin.snapshot.id} \\
  --format='value(name)')

gcloud ai endpoints deploy-model "$endpoint" {where} \\
  --model={name} \\
  --display-name={name} \\
  --machine-type={chosen.machine_type} \\
  --min-replica-count={chosen.min_replicas} \\
  --max-replica-count={chosen.max_replicas} \\
  --traffic-split=0=100

echo "Deployed on $endpoint. Ask it: ./ask.sh"
"""


def _endpoint(origin: Origin, chosen: Options) -> str:
    return f"""endpoint=$(gcloud ai endpoints list {_where(chosen)} \\
  --filter='labels.package={origin.package.id} AND displayName={origin.name}' \\
  --format='value(name)' --limit=1)
"""


def _ask(origin: Origin, chosen: Options, request: str) -> str:
    header = f"Content-Type={origin.package.sample.content_type}"
    return f"""{_endpoint(origin, chosen)}
gcloud ai endpoints raw-predict "$endpoint" {_where(chosen)} \\
  --http-headers={quote(header)} \\
  --request=@{request}
"""


def _delete(origin: Origin, chosen: Options) -> str:
    where = _where(chosen)
    return f"""{_endpoint(origin, chosen)}
for deployed in $(gcloud ai endpoints describe "$endpoint" {where} \\
  --format='value(deployedModels.id)'); do
  gcloud ai endpoints undeploy-model "$endpoint" {where} --deployed-model-id="$deployed"
done
gcloud ai endpoints delete "$endpoint" {where} --quiet
gcloud ai models delete {origin.name} {where} --quiet
"""


def readme(origin: Origin, chosen: Options, request: str) -> str:
    return f"""# {origin.name} on Google Vertex AI

{origin.table()}
- `deploy.sh`: uploads the model, creates an endpoint and deploys the model on it.
- `ask.sh`: sends it `{request}`, a request that the notebook answered.
- `delete.sh`: deletes the endpoint and the model; the image stays in its repository.
- `model.json`: the upload as the REST API takes it (`projects.locations.models.upload`).
- `SHA256SUMS`: checksums of these files.

The scripts need `gcloud`, logged in (`gcloud auth login`), and the Vertex AI API in the project
`{chosen.project}`. They take the image from its repository, which must be in Artifact Registry of
the same project, or readable by the Vertex AI service agent. Google bills each
`{chosen.machine_type}` for as long as the model is deployed.

```bash
./deploy.sh
./ask.sh
./delete.sh
```
"""
