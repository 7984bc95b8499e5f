"""The container that a kernel runs in."""

from __future__ import annotations

import getpass
import io
import os
import re
import secrets
import tarfile
from collections.abc import Mapping
from pathlib import Path

from ..core.container_network import ca_mounts
from ..core.environment import Resources
from ..core.layout import (
    ENV_PREFIX,
    LABEL_ENVIRONMENT,
    LABEL_KERNEL,
    LABEL_KIND,
    LABEL_OWNER,
    LABEL_REVISION,
    PATH,
    RUN_DIR,
)
from ..core.limits import devices
from ..core.ports import Capabilities, ContainerSpec, Engine, Mount
from ..core.settings import Settings
from .endpoint import Endpoint
from .transports import Tcp, supervisor_arguments
from .workspace import Workspace

HOME = f"{RUN_DIR}/home"
"""Below the tmpfs ``/run``: a freeze has neither the folder nor what is in it."""

_INSIDE = f"{RUN_DIR}/kernel"
_GUEST = Path(__file__).resolve().parents[1] / "guest" / "kernel"
_DEFAULT_TMP = 4 * 1024**3


def user_name() -> str:
    """The login name as ``/etc/passwd`` allows it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    return re.sub(r"[^a-z0-9_-]", "-", name.lower())[:32].lstrip("-") or "jovyan"


def container_spec(
    *,
    settings: Settings,
    capabilities: Capabilities,
    endpoint: Endpoint,
    workspace: Workspace,
    home: Path,
    kernel_id: str,
    image: str,
    environment: str,
    revision: int,
    network: str,
    variables: Mapping[str, str],
    resources: Resources,
    tcp: bool,
) -> ContainerSpec:
    """Everything here may survive a freeze, so nothing here is a secret."""
    tmpfs = {"/run": "rw,nosuid,nodev,exec,mode=1777"}
    if str(workspace.folder) != "/tmp":
        # Files in it count as memory: leave the kernel half of what it may use.
        size = resources.memory // 2 or _DEFAULT_TMP
        tmpfs["/tmp"] = f"rw,nosuid,nodev,exec,mode=1777,size={size}"
    return ContainerSpec(
        image=image,
        name=container_name(endpoint),
        labels={
            LABEL_KIND: "kernel",
            LABEL_OWNER: settings.owner,
            LABEL_ENVIRONMENT: environment,
            LABEL_REVISION: str(revision) if revision else "",
            LABEL_KERNEL: kernel_id,
        },
        entrypoint=(),
        command=(
            f"{ENV_PREFIX}/bin/python",
            "-I",
            f"{_INSIDE}/supervisor.py",
            *supervisor_arguments(tcp),
        ),
        environment={**variables, "PATH": PATH, "VIRTUAL_ENV": ENV_PREFIX},
        mounts=(
            endpoint.mount(),
            Mount(str(_GUEST), _INSIDE, read_only=True),
            Mount(str(endpoint.passwd), "/etc/passwd", read_only=True),
            Mount(str(home), HOME),
            *ca_mounts(settings.network),
            *workspace.mounts,
        ),
        tmpfs=tmpfs,
        user="" if capabilities.rootless else f"{os.getuid()}:{os.getgid()}",
        groups=() if capabilities.rootless else ("0",),
        network="none" if network == "none" else "bridge",
        ports=Tcp(endpoint.folder).wanted() if tcp else {},
        resources=resources,
        hostname=environment or "snapshot",
        devices=devices(resources.gpus, capabilities.gpus, capabilities.title),
    )


def container_name(endpoint: Endpoint) -> str:
    return f"mlops-kernel-{endpoint.folder.name}"


async def passwd(engine: Engine, settings: Settings, image: str, rootless: bool) -> str:
    """The image's ``/etc/passwd`` in which the kernel's user has a name and its home.

    Without it ``getpass.getuser()`` fails for a uid that the image does not know.
    """
    cache = settings.data / "passwd" / image.replace(":", "-")
    if not cache.exists():
        text = await _read_passwd(engine, settings, image)
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_name(f"{cache.name}.{secrets.token_hex(6)}")
        partial.write_text(text)
        partial.replace(cache)
    uid, gid = (0, 0) if rootless else (os.getuid(), os.getgid())
    return with_user(cache.read_text(), uid, gid, user_name())


def with_user(text: str, uid: int, gid: int, name: str) -> str:
    """``text`` of a passwd file with one entry for ``uid``, the first of its name.

    An entry that the image has for the uid keeps its name.
    """
    rows = [line.split(":") for line in text.splitlines() if line.count(":") == 6]
    known = [row[0] for row in rows if row[2] == str(uid)]
    others = [row for row in rows if row[2] != str(uid)]
    if known:
        name = known[0]
    elif name in {row[0] for row in others}:
        name = f"{name}-{uid}"
    entry = [name, "x", str(uid), str(gid), name, HOME, "/bin/sh"]
    return "".join(":".join(row) + "\n" for row in [entry, *others])


async def _read_passwd(engine: Engine, settings: Settings, image: str) -> str:
    """From a container that is never started."""
    labels = {LABEL_KIND: "probe", LABEL_OWNER: settings.owner}
    name = f"mlops-passwd-{secrets.token_hex(6)}"
    container = await engine.create(ContainerSpec(image, name, labels, command=("true",)))
    try:
        archive = await engine.get_archive(container, "/etc/passwd")
    finally:
        await engine.remove(container)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None:
                return file.read().decode("utf-8", "replace")
    return ""
