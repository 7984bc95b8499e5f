"""The container in which a build runs: created from the base, removed whatever happens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from ...core.container_network import ca_mounts, process_environment, secrets_of, uv_config
from ...core.errors import (
    BuildFailedError,
    ConflictError,
    KernelDeadError,
    MlopsError,
)
from ...core.layout import ENV_PREFIX, LABEL_ENVIRONMENT, LABEL_KIND, LABEL_OWNER, PATH, RUN_DIR
from ...core.ports import ContainerSpec, Engine, Image, Mount, Progress
from ...core.settings import Settings
from ..temporary_containers import remove_temporary, temporary_name
from .failures import step_failed
from .output import StepOutput

CACHE_VOLUME = "jupyter-mlops-cache"
"""One for all builds on an engine: wheels, distribution packages, bytecode."""
CACHE = f"{RUN_DIR}/cache"
UV = f"{RUN_DIR}/uv"
UV_CONFIG = f"{RUN_DIR}/uv.toml"
PYTHON = f"{ENV_PREFIX}/bin/python"
GUEST = Path(__file__).resolve().parents[2] / "guest"

# What package managers need to set owners and modes, and to drop to users of their own.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "SETFCAP",
    "SETGID",
    "SETUID",
    "SYS_CHROOT",
)


@dataclass
class BuildContainer:
    """A running build container and how to run steps in it."""

    engine: Engine
    id: str
    settings: Settings
    progress: Progress
    distribution: str = ""
    """``debian-bookworm``; empty until it is known."""

    async def run(
        self,
        step: str,
        script: str,
        *arguments: str,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
        failed: Callable[[int, StepOutput], MlopsError] | None = None,
    ) -> str:
        """Run a shell script with ``$1 …``; returns its stdout. Output goes to the log, live.

        Raises what ``failed(exit code, output)`` makes, else BuildFailedError naming ``step``.
        """
        output = StepOutput(self.progress, secrets_of(self.settings.network), on_line)
        try:
            code, stdout = await self._exec(script, arguments, stdin, environment, output)
        except KernelDeadError:
            raise _ended(step) from None
        finally:
            output.close()
        if code == 0:
            return stdout
        if await self._is_gone(code):
            raise _ended(step)
        raise failed(code, output) if failed else step_failed(step, code, output)

    async def _is_gone(self, code: int) -> bool:
        """Whether a step failed since its container ended; the step's end is seen first."""
        for _ in range(20 if code in (137, 143) else 1):
            state = await self.engine.inspect(self.id)
            if state is None or state.phase not in ("running", "paused"):
                return True
            await asyncio.sleep(0.1)
        return False

    async def ask(
        self, script: str, *arguments: str, stdin: bytes | None = None
    ) -> tuple[int, str, str]:
        """Run quietly; returns exit code, stdout, and everything it said."""
        said: list[str] = []
        code, stdout = await self._exec(script, arguments, stdin, None, said.append)
        return code, stdout, "".join(said)

    async def write(self, path: str, content: bytes) -> None:
        """Write a file; by stdin, since what is below ``/run`` is not reached by an archive."""
        await self.run("prepare", 'mkdir -p "${1%/*}" && cat > "$1"', path, stdin=content)

    async def prepare(self) -> None:
        """Write uv's settings, and look which distribution this is."""
        script = 'cat > "$1" && . /etc/os-release && echo "$ID-${VERSION_CODENAME:-$VERSION_ID}"'
        config = uv_config(self.settings.network).encode()
        said = await self.run("prepare", script, UV_CONFIG, stdin=config)
        self.distribution = re.sub(r"[^\w.-]", "", said)

    async def _exec(
        self,
        script: str,
        arguments: Sequence[str],
        stdin: bytes | None,
        environment: Mapping[str, str] | None,
        on_output: Callable[[str], None],
    ) -> tuple[int, str]:
        return await self.engine.exec(
            self.id,
            # Group-writable folders let the kernel's user install packages later.
            ["/bin/sh", "-c", f"umask 0002\n{script}", "sh", *arguments],
            environment={
                **step_environment(self.settings, self.distribution),
                **(environment or {}),
            },
            user="0:0",
            workdir="/",
            on_output=on_output,
            stdin=stdin,
        )


def _ended(step: str) -> BuildFailedError:
    return BuildFailedError(
        f"The build was ended from outside in the step {step}: its container does not run any "
        "more.",
        "Build again; if it happens again, look at the container engine's own log.",
    )


def step_environment(settings: Settings, distribution: str = "") -> dict[str, str]:
    """What every step gets and the image does not.

    Each ``distribution`` has its own cache of Python packages: those that were compiled in one need
    libraries that another may not have.
    """
    network = process_environment(settings.network)
    # These would take the place of what the file says.
    network.pop("UV_DEFAULT_INDEX", None)
    network.pop("UV_EXTRA_INDEX_URL", None)
    return {
        **network,
        "HOME": f"{RUN_DIR}/home",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "UV_CACHE_DIR": f"{CACHE}/uv/{distribution}".rstrip("/"),
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_CONFIG_FILE": UV_CONFIG,
        "UV_NO_PROGRESS": "1",
        "UV_PREVIEW_FEATURES": "pylock",
        "UV_HTTP_TIMEOUT": "120",
        "PIP_CACHE_DIR": f"{CACHE}/pip/{distribution}".rstrip("/"),
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def image_variables(image: Image, variables: Mapping[str, str]) -> dict[str, str]:
    """The Env of a build's container and image: ``/opt/env/bin`` first, then the base's PATH."""
    own = f"{ENV_PREFIX}/bin"
    path = image.environment.get("PATH", "")
    if path:
        path = ":".join([own, *(part for part in path.split(":") if part and part != own)])
    return {"PATH": path or PATH, "VIRTUAL_ENV": ENV_PREFIX, **variables}


@asynccontextmanager
async def build_container(
    engine: Engine,
    settings: Settings,
    progress: Progress,
    image: Image,
    environment: str,
    variables: Mapping[str, str],
) -> AsyncIterator[BuildContainer]:
    """A running container from ``image``; killed and removed at the end, also when cancelled."""
    name = temporary_name("build")
    spec = ContainerSpec(
        image=image.id,
        name=name,
        labels={
            LABEL_KIND: "build",
            LABEL_OWNER: settings.owner,
            LABEL_ENVIRONMENT: environment,
        },
        entrypoint=(),
        command=("/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"),
        environment=image_variables(image, variables),
        mounts=(
            Mount(str(settings.uv), UV, read_only=True),
            Mount(CACHE_VOLUME, CACHE),
            *ca_mounts(settings.network),
        ),
        tmpfs={"/run": "exec,mode=755", "/tmp": "exec,mode=1777"},
        # Only where the base says otherwise: a commit can set a user, but not blank it.
        user="0:0" if image.user else "",
        capabilities=CAPABILITIES,
    )
    container = ""
    try:
        # The engine may have made it although the task was cancelled: so always by name, too.
        container = await engine.create(spec)
        await engine.start(container)
        made = BuildContainer(engine, container, settings, progress)
        await made.prepare()
        yield made
    finally:
        await remove_temporary(engine, name, container)


def new_ref(repository: str, tag: str) -> str:
    """``repository:tag-<6 hex>``. Several users of one engine may give the same name at the same
    moment, and no engine can say "tag this unless it is taken": so no two ever ask for one tag."""
    return f"{repository}:{tag}-{token_hex(3)}"


async def remove_own(engine: Engine, ref: str, image: str) -> None:
    """Remove an image by its tag. Where somebody has moved the tag, by its id, if nothing else
    is made of it."""
    tagged = await engine.image(ref)
    if tagged is not None and tagged.id == image:
        await engine.remove_image(ref)
    else:
        with suppress(ConflictError):
            await engine.remove_image(image)
