"""Which files of a snapshot can play which part in a model package."""

from __future__ import annotations

import io
import tarfile

from ..core import handlers, model_formats
from ..core.errors import InvalidError
from ..core.model_formats import MLFLOW_FILE, ModelFormat
from ..core.model_package import Candidates
from .package_files import edges

_SOURCE_LIMIT = 1024 * 1024


def candidates(workspace: bytes) -> Candidates:
    """Of the tar of a snapshot's files (blocks)."""
    paths: list[str] = []
    functions: dict[str, tuple[str, ...]] = {}
    formats: dict[str, ModelFormat] = {}
    with tarfile.open(fileobj=io.BytesIO(workspace), mode="r:gz") as tar:
        for member in tar:
            if not member.isreg():
                continue
            paths.append(member.name)
            source = tar.extractfile(member)
            code = member.name.endswith(".py") or handlers.is_r(member.name)
            if code and member.size <= _SOURCE_LIMIT:
                content = source.read() if source else b""
                functions[member.name] = handlers.functions(content, member.name)
                continue
            head = edges(source, member.size) if source else b""
            folder, _, name = member.name.rpartition("/")
            if name == MLFLOW_FILE and folder:
                formats |= _mlflow(folder, head)
            elif found := model_formats.of_file(member.name, head):
                formats[member.name] = found
    return Candidates(
        models=handlers.models(formats),
        handlers=handlers.handlers(functions),
        samples=handlers.samples(path for path in paths if path not in formats),
        functions=functions,
        formats={path: found.name for path, found in formats.items() if found.loads},
        trust={path: found.trust for path, found in formats.items() if found.trust},
    )


def _mlflow(folder: str, content: bytes) -> dict[str, ModelFormat]:
    try:
        return {folder: model_formats.of_mlflow(content)}
    except InvalidError:
        return {}
