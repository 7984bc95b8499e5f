"""Assemble: an image, files put into it, and a new configuration (design section 3).

No image builder is needed, and nothing of the image is run.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from ..core.layout import ENV_PREFIX, LABEL_KIND, LABEL_OWNER, SERVE_DIR, SERVE_SPEC
from ..core.ports import ContainerSpec, Engine, ImageConfig
from .temporary_containers import remove_temporary, temporary_name

GUEST = Path(__file__).resolve().parents[1] / "guest"

ENTRYPOINT = (f"{ENV_PREFIX}/bin/python", "-I", f"{SERVE_DIR}/start.py")
"""In exec form: SageMaker starts images with the argument ``serve``, without a shell."""

BIND_TO_PORT = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"


async def assemble(
    engine: Engine, image: str, files: Mapping[str, bytes], config: ImageConfig, owner: str
) -> str:
    """Make an image of ``image`` and ``files`` (absolute path to content); returns its id."""
    name = temporary_name("build")
    spec = ContainerSpec(
        image=image,
        name=name,
        labels={LABEL_KIND: "build", LABEL_OWNER: owner},
        network="none",
    )
    try:
        container = await engine.create(spec)
        # Always into /: any deeper folder may not exist in an image, and Docker makes none.
        await engine.put_archive(container, "/", archive(files))
        return await engine.commit(container, config)
    finally:
        await remove_temporary(engine, name)


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar of files that belong to root; equal files give equal bytes.

    Folders of the first level (``/opt``) are the image's own and stay as they are.
    """
    folders = sorted({str(p) for f in files for p in Path(f).parents if len(p.parts) > 2})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in folders:
            info = tarfile.TarInfo(folder.lstrip("/"))
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for path in sorted(files):
            info = tarfile.TarInfo(path.lstrip("/"))
            info.size, info.mode = len(files[path]), 0o644
            tar.addfile(info, io.BytesIO(files[path]))
    return out.getvalue()


def serving_layer(spec: bytes) -> dict[str, bytes]:
    """The serving layer's files and its ``serve.json``, by their place in the image (blocks)."""
    folder = GUEST / "serve"
    files = sorted([*folder.glob("*.py"), *folder.glob("*.R")])
    layer = {f"{SERVE_DIR}/{p.name}": p.read_bytes() for p in files}
    return layer | {SERVE_SPEC: spec}
