"""YAML files and commands that run a package on an Azure ML managed online endpoint."""

from __future__ import annotations

import re
from shlex import quote
from typing import Any

from ...core.errors import InvalidError
from ..written.image_target import ImageTarget
from ..written.origin import Origin, shell_file, yaml_file
from .options import Options

PORT = 8080
_SCHEMAS = "https://azuremlschemas.azureedge.net/latest"


class AzureMlTarget(ImageTarget):
    name = "azureml"
    title = "Azure Machine Learning"
    description = "The YAML files and az commands of a managed endpoint; the image is pushed."
    form = Options
    ask_instead = "Run deploy.sh, as README.md says, and ask the endpoint."

    def check_name(self, name: str) -> None:
        if not re.match(r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$", name):
            raise InvalidError(
                f"Azure takes no endpoint named {name!r}: names have 3 to 32 characters and begin "
                "with a letter.",
                "Choose another name for the deployment.",
            )

    def steps(self, chosen: Any) -> tuple[str, ...]:
        return (
            "Write environment.yml, endpoint.yml and deployment.yml",
            f"Write deploy.sh and delete.sh for the workspace {chosen.workspace}, a README.md, a "
            "sample request, and checksums",
        )

    def files(self, origin: Origin, chosen: Any, request: str) -> dict[str, str]:
        assert isinstance(chosen, Options)
        return {
            "README.md": readme(origin, chosen, request),
            "environment.yml": yaml_file(origin, environment(origin)),
            "endpoint.yml": yaml_file(origin, endpoint(origin, chosen)),
            "deployment.yml": yaml_file(origin, deployment(origin, chosen)),
            "deploy.sh": shell_file(origin, _deploy(origin, chosen)),
            "ask.sh": shell_file(origin, _ask(origin, chosen, request)),
            "delete.sh": shell_file(origin, _delete(origin, chosen)),
        }


def environment(origin: Origin) -> dict[str, Any]:
    """The image, and where it answers."""
    routes = {"liveness_route": "/healthz", "readiness_route": "/ping", "scoring_route": "/score"}
    return {
        "$schema": f"{_SCHEMAS}/environment.schema.json",
        "name": origin.name,
        "version": origin.package.id,
        "image": origin.image,
        "inference_config": {route: {"path": path, "port": PORT} for route, path in routes.items()},
        "tags": origin.ids(),
    }


def endpoint(origin: Origin, chosen: Options) -> dict[str, Any]:
    return {
        "$schema": f"{_SCHEMAS}/managedOnlineEndpoint.schema.json",
        "name": origin.name,
        "auth_mode": chosen.auth,
        "tags": origin.ids(),
    }


def deployment(origin: Origin, chosen: Options) -> dict[str, Any]:
    return {
        "$schema": f"{_SCHEMAS}/managedOnlineDeployment.schema.json",
        "name": "main",
        "endpoint_name": origin.name,
        "environment": f"azureml:{origin.name}:{origin.package.id}",
        "instance_type": chosen.instance_type,
        "instance_count": chosen.instance_count,
        "request_settings": {"request_timeout_ms": 60000},
        "readiness_probe": {"initial_delay": 10, "period": 10, "timeout": 2},
        "tags": origin.ids(),
    }


def _where(chosen: Options) -> str:
    return f"--resource-group '{chosen.resource_group}' --workspace-name '{chosen.workspace}'"


def _deploy(origin: Origin, chosen: Options) -> str:
    where = _where(chosen)
    return f"""az ml environment create --file environment.yml {where}
az ml online-endpoint create --file endpoint.yml {where}
az ml online-deployment create --file deployment.yml --all-traffic {where}

echo "Deployed as {origin.name}. Ask it: ./ask.sh"
"""


def _ask(origin: Origin, chosen: Options, request: str) -> str:
    where = _where(chosen)
    kind = origin.package.sample.content_type
    if kind.partition(";")[0] == "application/json":
        return f"""az ml online-endpoint invoke --name {origin.name} {where} \\
  --request-file {request}
"""
    # `invoke` sends JSON only.
    return f"""url=$(az ml online-endpoint show --name {origin.name} {where} \\
  --query scoring_uri -o tsv)
secret=$(az ml online-endpoint get-credentials --name {origin.name} {where} \\
  --query 'primaryKey || accessToken' -o tsv)
curl --fail-with-body --data-binary @{request} -H {quote(f"Content-Type: {kind}")} \\
  -H "Authorization: Bearer $secret" "$url"
"""


def _delete(origin: Origin, chosen: Options) -> str:
    return f"""az ml online-endpoint delete --name {origin.name} {_where(chosen)} --yes
"""


def readme(origin: Origin, chosen: Options, request: str) -> str:
    return f"""# {origin.name} on Azure Machine Learning

{origin.table()}
- `environment.yml`: the image, by digest, and the paths where it answers.
- `endpoint.yml`: the endpoint, and what its callers show ({chosen.auth}).
- `deployment.yml`: the image on {chosen.instance_count} x {chosen.instance_type}.
- `deploy.sh`: creates the three.
- `ask.sh`: sends `{request}`, a request that the notebook answered.
- `delete.sh`: deletes the endpoint with its deployment; environment and image stay.
- `SHA256SUMS`: checksums of these files.

The scripts need `az` with its extension `ml` (`az extension add --name ml`), logged in
(`az login`). The workspace `{chosen.workspace}` pulls the image with its own identity, which needs
`AcrPull` on that registry. Names of endpoints are unique in a region: choose another one where
Azure says that it is taken.

```bash
./deploy.sh
./ask.sh
./delete.sh
```
"""
