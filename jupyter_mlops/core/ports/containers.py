"""Container engines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..environment import Resources
from ..errors import UnsupportedError
from .progress import Progress


@dataclass(frozen=True)
class Capabilities:
    """What an engine can really do here; tested, not believed."""

    name: str
    """``docker`` or ``podman``."""
    title: str
    """``Docker 28.2``, for people."""
    rootless: bool = False
    ipc: bool = True
    """Unix sockets in a bind mount reach the container."""
    pause: bool = True
    limits: bool = True
    cpus: int = 0
    """Of the engine's machine; 0 when it does not say."""
    memory: int = 0
    """Bytes of the engine's machine; 0 when it does not say."""
    gpus: tuple[str, ...] = ()
    """Graphics processors that containers can be given, by their CDI names."""
    socket: str = ""
    note: str = ""
    """What makes it slow or limited on this machine, in a sentence; mostly empty."""


@dataclass(frozen=True)
class Mount:
    """A bind mount; engine volumes are named by a ``source`` without a slash."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """A container to create. Defaults are the secure ones of design section 5."""

    image: str
    """Image id or reference."""
    name: str
    labels: Mapping[str, str]
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    """None keeps the image's, empty blanks it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Survives a commit: never anything but PATH, VIRTUAL_ENV and public variables for
    containers that may be frozen."""
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    """Target to options: ``{"/tmp": "exec,mode=1777,size=1g"}``."""
    user: str = ""
    """``uid:gid``; ignored by rootless engines, where container root is the user."""
    groups: tuple[str, ...] = ()
    network: str = "bridge"
    """``bridge``, ``none`` or ``host``."""
    ports: Mapping[int, int] = field(default_factory=dict)
    """Container port to a port of 127.0.0.1; 0 lets the engine choose."""
    resources: Resources = field(default_factory=lambda: Resources())
    capabilities: tuple[str, ...] = ()
    """Kept after ``cap_drop ALL``."""
    read_only: bool = False
    restart: bool = False
    """Restart unless stopped, also when the engine starts."""
    hostname: str = ""
    devices: tuple[str, ...] = ()
    """CDI names, such as ``nvidia.com/gpu=0``."""


@dataclass(frozen=True)
class Image:
    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    size: int
    created: str
    architecture: str
    environment: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    layers: tuple[str, ...] = ()
    """diff ids, lowest first."""


@dataclass(frozen=True)
class Container:
    id: str
    name: str
    labels: Mapping[str, str]
    image: str
    """Image id."""
    running: bool


@dataclass(frozen=True)
class State:
    """One container's state. ``phase``: created, running, paused, exited."""

    phase: str
    exit_code: int | None = None
    started: str = ""
    ports: Mapping[int, int] = field(default_factory=dict)
    """Container port to the port of 127.0.0.1 that reaches it."""


@dataclass(frozen=True)
class Usage:
    memory: int
    memory_limit: int
    cpu: float
    """Cores, over the last sample."""


@dataclass(frozen=True)
class ImageConfig:
    """What a commit sets beside the files. Empty strings and tuples blank the image's value."""

    labels: Mapping[str, str]
    """Of the five LABELS those that are missing are blanked."""
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    tag: str = ""
    """``repository:tag`` to give to the image."""


@dataclass(frozen=True)
class EngineEvent:
    container: str
    action: str
    """``start``, ``die``, ``remove``, …"""
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Credentials:
    """For one registry; ``password`` may be a token."""

    username: str
    password: str = field(repr=False)


OutputCallback = Callable[[str], None]
"""Gets each chunk of text as it comes, on the event loop's thread."""


class Engine(ABC):
    """A container engine. Raises EngineUnavailableError when it does not answer."""

    @abstractmethod
    async def info(self) -> Capabilities: ...

    @abstractmethod
    async def image(self, ref: str) -> Image | None:
        """The local image of this id or reference; None when there is none."""

    @abstractmethod
    async def images(self, labels: Mapping[str, str]) -> list[Image]: ...

    async def layer_sizes(self, image: str) -> tuple[int, ...]:
        """Bytes of each layer, lowest first, in the order of ``Image.layers``; empty where the
        engine does not tell them apart."""
        return ()

    @abstractmethod
    async def import_image(self, archive: Path, ref: str, config: ImageConfig) -> str:
        """Make an image of one layer from a root file system tar; returns the image id."""

    @abstractmethod
    async def pull(
        self, ref: str, credentials: Credentials | None, progress: Callable[[str], None]
    ) -> str:
        """Pull; returns the image id. Raises Registry* errors."""

    @abstractmethod
    async def push(
        self, ref: str, credentials: Credentials | None, progress: Callable[[str], None]
    ) -> str:
        """Push a tag; returns the manifest digest that the engine reports."""

    async def build_image(
        self,
        folder: Path,
        dockerfile: str,
        ref: str,
        labels: Mapping[str, str],
        arguments: Mapping[str, str],
        progress: Callable[[str], None],
    ) -> str:
        """Build ``folder``'s file ``dockerfile``, tag the image ``ref`` and return its id.

        ``arguments`` are build arguments. ``progress`` gets each line. Raises BuildFailedError
        that names the step and its line; nothing is left then, nor after a cancellation.
        """
        raise UnsupportedError("This engine cannot build a Dockerfile.")

    async def save_image(self, image: str, archive: Path) -> None:
        """Write an image into a file, in the format of ``docker save``; NotFoundError."""
        raise UnsupportedError("This engine cannot write an image into a file.")

    async def load_image(self, archive: Path) -> None:
        """Read an image, with its tags, from a file in the format of ``docker save``."""
        raise UnsupportedError("This engine cannot read an image from a file.")

    @abstractmethod
    async def tag(self, image: str, ref: str) -> None: ...

    @abstractmethod
    async def remove_image(self, ref: str, force: bool = False) -> None:
        """Remove a tag, and the image with its last one. A missing one is no error."""

    @abstractmethod
    async def create(self, spec: ContainerSpec) -> str:
        """Returns the container id."""

    @abstractmethod
    async def start(self, container: str) -> None: ...

    @abstractmethod
    async def inspect(self, container: str) -> State | None:
        """None when there is no such container."""

    @abstractmethod
    async def put_archive(self, container: str, path: str, tar: bytes | Path) -> None:
        """Unpack a tar below ``path``, which must exist and not be a mount."""

    @abstractmethod
    async def get_archive(self, container: str, path: str) -> bytes:
        """A tar of one file or folder; raises NotFoundError."""

    @abstractmethod
    async def exec(
        self,
        container: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        user: str = "",
        workdir: str = "",
        on_output: OutputCallback | None = None,
        stdin: bytes | None = None,
    ) -> tuple[int, str]:
        """Run to the end; returns exit code and stdout (stderr only goes to ``on_output``).

        Cancelling the task ends the process in the container too. Secrets go into
        ``environment`` or ``stdin``, never into ``argv`` (engines log it).
        """

    @abstractmethod
    async def pause(self, container: str) -> None: ...

    @abstractmethod
    async def unpause(self, container: str) -> None: ...

    @abstractmethod
    async def stop(self, container: str, grace: float) -> None:
        """SIGTERM to PID 1, SIGKILL after ``grace`` seconds."""

    @abstractmethod
    async def kill(self, container: str, signal: str = "KILL") -> None: ...

    @abstractmethod
    async def remove(self, container: str) -> None:
        """Also when it runs; a missing one is no error."""

    @abstractmethod
    async def list(self, labels: Mapping[str, str]) -> list[Container]:
        """All containers, running or not; an empty value matches any value of that label."""

    @abstractmethod
    async def commit(self, container: str, config: ImageConfig) -> str:
        """Make an image of the container's file system, without pausing; returns the id."""

    @abstractmethod
    async def wait(self, container: str) -> int:
        """Exit code, once it has ended."""

    @abstractmethod
    def events(self, labels: Mapping[str, str]) -> AsyncIterator[EngineEvent]:
        """Live events of containers with these labels, until closed."""

    @abstractmethod
    async def stats(self, container: str) -> Usage: ...

    @abstractmethod
    async def logs(self, container: str, tail: int = 1000) -> str: ...

    @abstractmethod
    async def close(self) -> None: ...


class EngineProvider(Protocol):
    """Finds the engine when it is needed: it may be installed or started after we were."""

    async def engine(self) -> Engine:
        """The configured or first working engine; raises EngineUnavailableError, whose hint is
        the command that installs or starts one on this system."""
        ...

    async def close(self) -> None: ...


class RootFilesystem(Protocol):
    """Makes the root file system of a base image from distribution packages."""

    async def make(
        self, suite: str, packages: Sequence[str], archive: Path, progress: Progress
    ) -> None:
        """Write a tar of it to ``archive``."""
        ...
