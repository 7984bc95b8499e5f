"""Image references: ``[registry/]repository[:tag][@digest]``.

Grammar: the distribution project's reference format. Two kinds of digest exist and are never
mixed: an image **id** (digest of the config; what engines list, equal on every engine) and a
**manifest digest** (what a registry lists).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import InvalidError

_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"^{_PART}(?:/{_PART})*$")


@dataclass(frozen=True)
class ImageRef:
    """A parsed reference. ``registry`` is empty for a name that only the engine knows."""

    repository: str
    registry: str = ""
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        text = f"{self.registry}/{self.repository}" if self.registry else self.repository
        if self.tag:
            text += f":{self.tag}"
        if self.digest:
            text += f"@{self.digest}"
        return text

    @property
    def name(self) -> str:
        """Registry and repository, without tag or digest."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    @property
    def reference(self) -> str:
        """What follows ``manifests/`` in the distribution API: digest, else tag, else latest."""
        return self.digest or self.tag or "latest"

    def with_tag(self, tag: str) -> ImageRef:
        return ImageRef(self.repository, self.registry, tag)

    def with_digest(self, digest: str) -> ImageRef:
        return ImageRef(self.repository, self.registry, "", digest)


def parse(text: str) -> ImageRef:
    """Parse a reference; raises InvalidError with the offending text."""
    rest, _, digest = text.strip().partition("@")
    if digest and not _DIGEST.match(digest):
        raise InvalidError(f"{text!r} has a digest that is not sha256:<64 hex digits>.")
    head, slash, tail = rest.partition("/")
    registry = ""
    if slash and ("." in head or ":" in head or head == "localhost"):
        registry, rest = head, tail
    name, colon, tag = rest.rpartition(":")
    if not colon:
        name, tag = rest, ""
    if not _REPOSITORY.match(name):
        raise InvalidError(
            f"{text!r} is not an image reference.",
            "Write it as registry/team/name:tag, in lower case.",
        )
    if tag and not _TAG.match(tag):
        raise InvalidError(f"{text!r} has a tag with characters that are not allowed.")
    return ImageRef(name, registry, tag, digest)
