"""What stands before moto: stricter where our code depends on it, and able to play failures."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from . import aws_gaps
from .aws_account import ACCOUNT
from .aws_troubles import Troubles, action_of

SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
MANIFESTS = (
    f"{SCHEMA2}, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json"
)


_GAPS = ("UpdateEndpoint", "DeleteModelPackage", "DeleteModelPackageGroup", "StopTransformJob")


class Models(Protocol):
    """What answers invocations."""

    def ask(self, endpoint: str, body: bytes, content_type: str, accept: str) -> httpx.Response: ...

    def ask_later(
        self, endpoint: str, location: str, content_type: str, accept: str
    ) -> tuple[str, str]: ...


@dataclass
class Front:
    """What stands before moto. A test sets the attributes; ``reset`` clears them."""

    app: Any
    url: str = ""
    statuses: list[str] = field(default_factory=lambda: ["InService"])
    """What a new endpoint says, describe after describe; the last one stays."""
    failure_reason: str = ""
    update_fails: str = ""
    """Why AWS itself goes back to the old configuration; empty where updates work."""
    update_statuses: list[str] = field(default_factory=lambda: ["Updating"])
    """What an endpoint says while it is updated."""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Of SageMaker: action and parameters of what was not refused."""
    refuse_manifests: bool = False
    """Refuse every image as CreateModel refuses an OCI manifest."""
    forbidden: set[str] = field(default_factory=set)
    """Actions of SageMaker that are answered with AWS's "access denied"."""
    hosting: Models | None = None
    calls: list[str] = field(default_factory=list)
    """Actions of SageMaker in the order they came."""
    troubles: Troubles = field(default_factory=Troubles)
    _endpoints: dict[str, list[str]] = field(default_factory=dict)

    def reset(self) -> None:
        self.statuses = ["InService"]
        self.failure_reason = ""
        self.update_fails = ""
        self.update_statuses = ["Updating"]
        self.requests.clear()
        self.refuse_manifests = False
        self.forbidden = set()
        self.hosting = None
        self.calls.clear()
        self.troubles = Troubles()
        self._endpoints.clear()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        action, troubles = action_of(environ), self.troubles
        instead = troubles.before(action, start_response)
        if instead is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return instead
        answer = self._answer(environ, start_response)
        troubles.after(action)
        return answer

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/endpoints/") and path.endswith("/invocations") and self.hosting:
            return self._invoke(path.split("/")[2], environ, start_response)
        if path.startswith("/endpoints/") and path.endswith("/async-invocations") and self.hosting:
            return self._invoke_later(path.split("/")[2], environ, start_response)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if not target.startswith("SageMaker."):
            return self.app(environ, start_response)
        action = target.partition(".")[2]
        self.calls.append(action)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if action in self.forbidden:
            said = f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: "
            said += f"sagemaker:{action} on resource: *"
            denied = {"__type": "AccessDeniedException", "message": said}
            return _answer(start_response, 400, denied)
        asked = json.loads(body or b"{}")
        refusal = self._refusal(action, asked)
        if refusal:
            return _invalid(start_response, refusal)
        self.requests.append((action, asked))
        if action in _GAPS:
            return self._gap(action, asked, start_response)
        if action == "DescribeEndpoint":
            return self._describe(environ, start_response)
        if action == "CreateEndpoint":
            self._endpoints[json.loads(body)["EndpointName"]] = list(self.statuses)
        if action == "DeleteEndpoint":
            self._endpoints.pop(json.loads(body)["EndpointName"], None)
        return self.app(environ, start_response)

    def _gap(self, action: str, asked: dict[str, Any], start_response: Any) -> Any:
        """What moto does not know."""
        if action == "DeleteModelPackage" and not aws_gaps.delete_model_package(asked):
            return _invalid(start_response, "ModelPackage does not exist.")
        if action == "DeleteModelPackageGroup":
            aws_gaps.delete_model_package_group(asked)
        if action == "StopTransformJob":
            aws_gaps.end_transform_job(asked["TransformJobName"], "Stopped")
        if action == "UpdateEndpoint":
            aws_gaps.update_endpoint(asked, bool(self.update_fails))
            undone = ["RollingBack"] if self.update_fails else []
            statuses = [*self.update_statuses, *undone]
            self._endpoints[asked["EndpointName"]] = [*statuses, "InService"]
        return _answer(start_response, 200, {})

    def _refusal(self, action: str, asked: dict[str, Any]) -> str:
        """What AWS says where moto says nothing."""
        if action == "CreateModel":
            image = asked["PrimaryContainer"]["Image"]
            kind = "application/vnd.oci.image.manifest.v1+json"
            if not self.refuse_manifests:
                kind = manifest_type(image)
            if kind != SCHEMA2:
                return (
                    f"Unsupported manifest media type {kind} for image {image}. Ensure that "
                    "valid manifest media type is used for specified image."
                )
        if action == "CreateEndpoint" and asked["EndpointName"] in self._endpoints:
            return f'Cannot create already existing endpoint "{asked["EndpointName"]}".'
        if action == "UpdateEndpoint":
            if self._status(asked["EndpointName"]) != "InService":
                return "Cannot update in-progress endpoint."
            if not aws_gaps.known_config(asked["EndpointConfigName"]):
                return "Could not find endpoint configuration."
        if action == "DeleteEndpoint" and self._status(asked["EndpointName"]) == "Creating":
            return "Cannot update in-progress endpoint."
        return ""

    def _status(self, name: str) -> str:
        return self._endpoints.get(name, ["InService"])[0]

    def _describe(self, environ: dict[str, Any], start_response: Any) -> Any:
        head: list[Any] = []
        content = b"".join(self.app(environ, lambda *given: head.extend(given)))
        if not head[0].startswith("200"):
            start_response(*head)
            return [content]
        answer = json.loads(content)
        name = answer["EndpointName"]
        answer["EndpointStatus"] = self._status(name)
        if answer["EndpointStatus"] == "Failed":
            answer["FailureReason"] = self.failure_reason
        if answer["EndpointStatus"] == "InService" and self.update_fails:
            answer["FailureReason"] = self.update_fails
        if len(self._endpoints.get(name, ())) > 1:
            self._endpoints[name].pop(0)
        return _answer(start_response, 200, answer)

    def _invoke_later(self, name: str, environ: dict[str, Any], start_response: Any) -> Any:
        assert self.hosting is not None
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        good, bad = self.hosting.ask_later(
            name,
            environ["HTTP_X_AMZN_SAGEMAKER_INPUTLOCATION"],
            environ.get("HTTP_X_AMZN_SAGEMAKER_CONTENT_TYPE", ""),
            environ.get("HTTP_X_AMZN_SAGEMAKER_ACCEPT", ""),
        )
        headers = [
            ("X-Amzn-SageMaker-OutputLocation", good),
            ("X-Amzn-SageMaker-FailureLocation", bad),
        ]
        return _answer(start_response, 202, {"InferenceId": "1"}, headers)

    def _invoke(self, name: str, environ: dict[str, Any], start_response: Any) -> Any:
        assert self.hosting is not None
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = self.hosting.ask(
            name, body, environ.get("CONTENT_TYPE", ""), environ.get("HTTP_ACCEPT", "")
        )
        if answer.status_code >= 400:
            error = {
                "OriginalStatusCode": answer.status_code,
                "OriginalMessage": answer.text[:2048],
                "Message": f"Received error ({answer.status_code}) from {name}",
            }
            return _answer(start_response, 424, error, [("x-amzn-errortype", "ModelError")])
        headers = [("Content-Type", answer.headers["content-type"])]
        start_response("200 OK", headers)
        return [answer.content]


def _answer(
    start_response: Any, status: int, body: dict[str, Any], headers: list[Any] | None = None
) -> list[bytes]:
    content = json.dumps(body).encode()
    kind = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(content)))]
    start_response(f"{status} {'OK' if status == 200 else 'Error'}", kind + (headers or []))
    return [content]


def _invalid(start_response: Any, message: str) -> list[bytes]:
    return _answer(start_response, 400, {"__type": "ValidationException", "message": message})


def manifest_type(image: str) -> str:
    """The media type that the registry has for ``host/repository@digest``."""
    name, _, digest = image.partition("@")
    host, _, repository = name.partition("/")
    answer = httpx.get(
        f"http://{host}/v2/{repository}/manifests/{digest}", headers={"Accept": MANIFESTS}
    )
    answer.raise_for_status()
    return answer.headers["content-type"]
