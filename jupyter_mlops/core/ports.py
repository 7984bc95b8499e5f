"""What the services need from outside, as abstract classes and protocols.

Adapters implement these; services know nothing else. Everything is async and idempotent where
the noun allows it (``start`` of a running container, ``remove`` of a missing one).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, TypeVar

from .deployment import Deployment, Invocation, Plan
from .environment import Base, Environment, Resources
from .errors import UnsupportedError
from .image_ref import ImageRef
from .kernel import KernelRecord
from .model_package import ModelPackage
from .operation import Operation
from .revision import Revision
from .snapshot import Snapshot

# ---------------------------------------------------------------------------- containers


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


# ---------------------------------------------------------------------------- registries


@dataclass(frozen=True)
class Descriptor:
    """OCI content descriptor."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Manifest:
    """A manifest as the registry has it; ``content`` is byte for byte what its digest covers."""

    media_type: str
    digest: str
    content: bytes


class Registry(ABC):
    """One OCI registry. Raises RegistryUnavailableError, RegistryDeniedError, RegistryError."""

    @abstractmethod
    async def manifest(self, ref: ImageRef) -> Manifest | None:
        """The manifest, its digest verified; None when it is not there."""

    @abstractmethod
    async def put_manifest(self, ref: ImageRef, media_type: str, content: bytes) -> str:
        """Returns the digest, after reading it back from the answer's header."""

    @abstractmethod
    async def has_blob(self, ref: ImageRef, digest: str) -> bool: ...

    @abstractmethod
    async def put_blob(self, ref: ImageRef, digest: str, content: Path | bytes) -> None:
        """Streamed; nothing travels when the repository has it."""

    @abstractmethod
    async def blob(self, ref: ImageRef, digest: str, into: Path) -> None:
        """Streamed into a file, the digest verified before the file appears."""

    @abstractmethod
    async def read_blob(self, ref: ImageRef, digest: str, limit: int = 16 * 1024**2) -> bytes:
        """A small blob, verified; RegistryError where it is larger than ``limit`` bytes."""

    @abstractmethod
    async def mount_blob(self, ref: ImageRef, digest: str, source: ImageRef) -> bool:
        """Make a blob of another repository of this registry one of ``ref``'s, without copying.
        False where the registry does not do that: put the blob then."""

    @abstractmethod
    async def tags(self, ref: ImageRef) -> list[str]:
        """Sorted; empty for a repository that does not exist."""

    @abstractmethod
    async def credentials(self) -> Credentials | None:
        """What the engine needs for a push or pull."""

    @abstractmethod
    async def delete(self, ref: ImageRef) -> None:
        """By digest; raises UnsupportedError where the registry forbids deleting."""

    @abstractmethod
    async def close(self) -> None:
        """Close idle connections; the next call opens new ones."""


class SavedImage(Protocol):
    """An image in a file that an engine saved. Its methods block."""

    @property
    def config(self) -> bytes:
        """The image's configuration (JSON); its digest is the image id."""
        ...

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Digests of the uncompressed layers, lowest first."""
        ...

    def open_layer(self, index: int) -> BinaryIO:
        """The uncompressed tar of one layer, for reading from the start to the end or seeking."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class PackedImage:
    """An image as the blobs that a registry would hold."""

    manifest: bytes
    blobs: Mapping[str, Path | bytes]
    """Digest to content: the config and the compressed layers, not the manifest."""


class Layout(Protocol):
    """An OCI image layout in a tar file; everything read is verified."""

    @property
    def root(self) -> Descriptor:
        """What ``index.json`` lists first."""
        ...

    async def manifest(self, digest: str) -> Manifest: ...

    async def blob(self, digest: str, into: Path) -> None: ...

    async def close(self) -> None: ...


class ImageFiles(Protocol):
    """Images in files, for machines that share no network."""

    def saved(self, archive: Path) -> SavedImage:
        """Open what an engine saved (blocks); raises InvalidError."""
        ...

    async def pack(self, saved: SavedImage, folder: Path) -> PackedImage:
        """Compress the layers into ``folder``. Equal images give equal bytes."""
        ...

    async def write(
        self,
        file: Path,
        root: Manifest,
        tag: str,
        image: Manifest,
        image_ref: str,
        blobs: Mapping[str, Path | bytes],
    ) -> None:
        """Write a layout whose index lists ``root`` as ``tag``. ``docker load`` and
        ``podman load`` read the file too, and call ``image`` ``image_ref`` then. ``blobs`` are
        all further blobs. The file appears when it is complete."""
        ...

    async def read(self, file: Path) -> Layout:
        """Raises InvalidError where the file is no layout."""
        ...

    async def export(self, layout: Layout, image: Manifest, image_ref: str, archive: Path) -> None:
        """Write one image of a layout, verified, in the format of ``docker save``, which every
        engine reads; it has no name but ``image_ref``."""
        ...


class Registries(Protocol):
    """Finds the client of a registry by host, with configured or Docker's credentials."""

    @property
    def files(self) -> ImageFiles: ...

    def registry(self, host: str, credentials: Credentials | None = None) -> Registry: ...


# ------------------------------------------------------------------------------- persistence

T = TypeVar("T")


class Repository(Protocol, Generic[T]):
    """One kind of record. Keys are strings; composite ones are joined by ``@``
    (``churn@3`` for a revision)."""

    async def get(self, key: str) -> T | None: ...

    async def list(self, *, limit: int | None = None, after: str = "", **where: str) -> list[T]:
        """Newest first; ``after`` is the key of the last one seen; ``where`` on indexed fields."""
        ...

    async def save(self, record: T) -> None:
        """Insert or replace."""
        ...

    async def delete(self, key: str) -> None: ...


class Store(Protocol):
    """Everything we remember. Safe for several processes of one user."""

    bases: Repository[Base]
    environments: Repository[Environment]
    revisions: Repository[Revision]
    snapshots: Repository[Snapshot]
    packages: Repository[ModelPackage]
    deployments: Repository[Deployment]
    operations: Repository[Operation]
    kernels: Repository[KernelRecord]

    async def next_revision(self, environment: str) -> int:
        """Give out the next revision number; atomic, never the same twice."""
        ...

    async def close(self) -> None: ...


class Blobs(Protocol):
    """Content-addressed files: locks, inventories, workspaces, models."""

    async def put(self, content: bytes | Path) -> str:
        """Returns the digest ``sha256:…``; a file given by path is moved in."""
        ...

    async def get(self, digest: str) -> bytes:
        """Verified; raises NotFoundError."""
        ...

    def path(self, digest: str) -> Path:
        """Where the blob is; the file may be missing."""
        ...

    def size(self, digest: str) -> int: ...

    def scratch(self) -> Path:
        """A new file's path on the same disk, to be filled and then put."""
        ...


# ------------------------------------------------------------------------------ progress


class Progress(Protocol):
    """How a use case tells what it is doing. All methods return at once."""

    def phase(self, name: str, message: str = "") -> None:
        """A new step begins; the one before has ended."""
        ...

    def update(self, message: str = "", fraction: float | None = None) -> None:
        """Within the phase."""
        ...

    def log(self, text: str) -> None:
        """Raw output for the log, as it comes."""
        ...


# ------------------------------------------------------------------------------ notebooks


class NotebookRunner(Protocol):
    """Runs notebooks in kernel containers without a Jupyter server."""

    async def run(
        self,
        notebook: Path,
        *,
        kernel_name: str,
        output: Path,
        timeout: float | None,
        allow_errors: bool,
        on_cell: Callable[[int, int, float], None],
        keep: Callable[[str], Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Execute every cell and write the result to ``output`` (also after a failure).

        ``on_cell(index, total, seconds)`` after each cell. ``keep(kernel_id)`` is awaited
        while the kernel still lives and after ``output`` was written: a snapshot made in it must
        find the outputs on disk. ``extra`` are provisioner settings for this run alone
        (``{"image": …, "network": "none"}``). Raises KernelDeadError,
        and InvalidError with the cell's number and the exception's last line for a cell that
        fails, unless ``allow_errors``.
        """
        ...


class KernelSpecs(Protocol):
    """The kernels that launcher and kernel picker show."""

    def install_environment(self, environment: Environment, revisions: Sequence[Revision]) -> None:
        """Write ``mlops-<name>`` for the active revision and ``mlops-<name>.r<N>`` for each."""
        ...

    def install_snapshot(self, snapshot: Snapshot) -> str:
        """Write ``mlops-<snapshot id>``; returns the name."""
        ...

    def remove(self, name: str) -> None:
        """Remove ``mlops-<name>`` and its pinned revisions; a missing one is no error."""
        ...


# ------------------------------------------------------------------------------- targets


class Target(ABC):
    """A place where model packages run. Registered by entry point ``jupyter_mlops.targets_v1``."""

    name: str
    title: str
    description: str

    @abstractmethod
    def options_schema(self) -> dict[str, Any]:
        """JSON Schema with titles, descriptions and defaults."""

    @abstractmethod
    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Validated, with defaults filled in; raises InvalidError naming the field."""

    @abstractmethod
    async def check(self) -> list[str]:
        """Why the target cannot be used now, each with what to do; empty when it can."""

    @abstractmethod
    async def plan(self, package: ModelPackage, name: str, options: Mapping[str, Any]) -> Plan: ...

    @abstractmethod
    async def deploy(
        self,
        package: ModelPackage,
        deployment: Deployment,
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> Deployment:
        """Create everything; ``save`` is awaited after each resource, so that a crash leaves a
        record of it. On failure what was made is deleted, newest first, and the error raised."""

    @abstractmethod
    async def describe(self, deployment: Deployment) -> Deployment:
        """With its live state."""

    @abstractmethod
    async def invoke(
        self, deployment: Deployment, body: bytes, content_type: str, accept: str
    ) -> Invocation: ...

    @abstractmethod
    async def delete(self, deployment: Deployment, progress: Progress) -> None: ...

    @abstractmethod
    async def logs(self, deployment: Deployment, tail: int = 200) -> str: ...
