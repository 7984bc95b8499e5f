"""Snapshots: a frozen kernel container and a bundle of what else is needed to run it again."""

from __future__ import annotations

from dataclasses import dataclass, field

from .inventory import InventoryDiff

ARTIFACT_TYPE = "application/vnd.jupyter-mlops.snapshot.v1+json"
CONFIG_TYPE = "application/vnd.jupyter-mlops.snapshot.config.v1+json"
MEDIA_TYPES = {
    "inventory": "application/vnd.jupyter-mlops.inventory.v1+json",
    "lock": "application/toml",
    "sbom": "application/vnd.cyclonedx+json",
    "workspace": "application/vnd.jupyter-mlops.workspace.v1.tar+gzip",
    "outputs": "application/vnd.jupyter-mlops.outputs.v1+json",
    "provenance": "application/vnd.in-toto+json",
    "readme": "text/markdown",
}


@dataclass(frozen=True)
class Member:
    """One blob of the bundle."""

    role: str
    """A key of MEDIA_TYPES."""
    title: str
    """The file name it has outside: ``pylock.toml``, ``workspace.tar.gz``, …"""
    digest: str
    size: int

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.role]


@dataclass(frozen=True)
class GitState:
    """Where the project's files stood in version control."""

    remote: str
    """Without credentials."""
    commit: str
    dirty: bool


@dataclass(frozen=True)
class WorkspaceSummary:
    files: int
    size: int
    """Bytes, uncompressed."""
    notebooks: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    """Paths left out and why, the first hundred."""
    git: GitState | None = None


@dataclass(frozen=True)
class Publication:
    """A place in a registry where the snapshot is."""

    project: str
    """``registry/team/name``."""
    digest: str
    """Manifest digest of the index."""
    published: str


@dataclass(frozen=True)
class Snapshot:
    id: str
    """``s-`` and 16 hex digits of the bundle's digest."""
    name: str
    owner: str
    created: str
    environment: str
    revision: int
    """Where ``origin`` is set, environment and revision are those of the machine it came from."""
    image: str
    """Image id: the digest of the config, equal on every engine."""
    ref: str
    """The engine's tag for it; empty while the image is only in a registry."""
    base_image: str
    revision_image: str
    """Image id of the revision that the kernel ran; the image has its layers and one more."""
    drift: InventoryDiff
    workspace: WorkspaceSummary
    members: tuple[Member, ...]
    note: str = ""
    language: str = "python"
    variables: dict[str, str] = field(default_factory=dict)
    size: int = 0
    """Bytes that the freeze added to the revision's image."""
    origin: str = ""
    """Empty for our own; else ``registry/team/name:<id>`` it was opened from."""
    publications: tuple[Publication, ...] = ()

    def member(self, role: str) -> Member | None:
        return next((m for m in self.members if m.role == role), None)


@dataclass(frozen=True)
class CatalogueEntry:
    """One snapshot in a team's project, as read from the registry."""

    project: str
    id: str
    digest: str
    """Manifest digest of the index."""
    name: str
    owner: str
    created: str
    environment: str
    revision: int
    note: str = ""
    packages_added: int = 0
    files: int = 0
    local: bool = False
    """True when this snapshot is here already."""


@dataclass(frozen=True)
class Finding:
    """What looks like a secret."""

    path: str
    line: int
    rule: str
    """What it looks like: ``AWS secret access key``."""
    excerpt: str
    """With the secret itself masked."""


@dataclass(frozen=True)
class FileEntry:
    """One file of the project, as a freeze would treat it."""

    path: str
    """Below the project's folder, with forward slashes."""
    size: int
    included: bool
    reason: str = ""
    """Why it stays out: ``.mlopsignore``, ``may hold a secret``, …"""


@dataclass(frozen=True)
class FreezePreview:
    """What a snapshot of a kernel would contain, before it is made."""

    kernel: str
    environment: str
    revision: int
    project: str
    drift: InventoryDiff
    files: tuple[FileEntry, ...]
    size: int
    """Bytes of the files that are included."""
    cap: int
    """Bytes that are allowed at most."""
    git: GitState | None = None
