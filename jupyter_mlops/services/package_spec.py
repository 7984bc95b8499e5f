"""``serve.json``: what the serving layer serves, and where it comes from."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict

from ..core.layout import SERVE_SPEC
from ..core.model_formats import ModelFormat
from ..core.model_package import Batching, Handler
from ..core.snapshot import Snapshot
from .package_files import PackageFiles, SampleFiles

_WARM_UP_LIMIT = 256 * 1024
"""Bytes of a sample that the image carries, so that workers warm up before the first caller."""


def described(found: ModelFormat | None) -> dict[str, object]:
    """A format in the words of the serving layer; empty for what it finds out itself."""
    if found is None or not found.loads:
        return {}
    return {"name": found.name, "file": found.file, **found.loader}


def spec(
    snapshot: Snapshot,
    name: str,
    handler: Handler,
    files: PackageFiles,
    request: SampleFiles,
    model: str,
    batching: Batching,
) -> bytes:
    """``model`` is the digest of model.tar.gz."""
    sample: dict[str, str] = {"content_type": request.content_type, "accept": request.accept}
    if len(request.body) <= _WARM_UP_LIMIT:
        sample["body"] = base64.b64encode(request.body).decode()
    content: dict[str, object] = {
        "schema": 1,
        "name": name,
        "model": model,
        "format": described(files.format),
        "model_schema": files.schema,
        "handler": {"kind": handler.kind, "path": files.handler, "function": handler.function},
        "sample": sample,
        "model_files": sorted(files.model),
        "snapshot": {
            "id": snapshot.id,
            "environment": snapshot.environment,
            "revision": snapshot.revision,
            "image": snapshot.image,
        },
    }
    if batching.size > 1:
        content["batching"] = asdict(batching)
    return json.dumps(content, sort_keys=True, indent=1).encode()


def with_id(layer: dict[str, bytes], package: str) -> dict[str, bytes]:
    """The layer that says which package it is; the id is made of the layer that does not."""
    content = json.loads(layer[SERVE_SPEC]) | {"package": package}
    return layer | {SERVE_SPEC: json.dumps(content, sort_keys=True, indent=1).encode()}
