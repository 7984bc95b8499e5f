"""Docker's words for images: commit instructions, and what ``inspect`` says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.errors import InvalidError
from ..core.layout import LABELS
from ..core.ports import Image, ImageConfig
from .container_config import timestamp

_DOCKER_HUB = re.compile(r"^docker\.io/(?:library/)?")


def changes(
    config: ImageConfig, current: Mapping[str, Any], quote: Callable[[str], str] | None = None
) -> list[str]:
    """Dockerfile instructions for a commit or import.

    ``current`` is the ``Config`` of the container, empty for an import. Its variables and labels
    survive whatever is said here; labels of ours that ``config`` does not name are blanked, so
    that a snapshot is not taken for the revision it was made of.
    """
    quoted = quote or quoted_word
    labels = dict(config.labels)
    for label in LABELS:
        if (current.get("Labels") or {}).get(label):
            labels.setdefault(label, "")
    lines = [f"LABEL {quoted(key)}={quoted(value)}" for key, value in sorted(labels.items())]
    lines += [f"ENV {key}={quoted(value)}" for key, value in sorted(config.environment.items())]
    if config.user or current.get("User"):
        # Docker takes an empty one back from the container; 0:0 is what none means.
        lines.append(f"USER {config.user or '0:0'}")
    if config.workdir or current.get("WorkingDir"):
        # An empty one cannot be written; / is what both engines use for it.
        lines.append(f"WORKDIR {config.workdir or '/'}")
    # CMD comes last: ENTRYPOINT resets it.
    if config.entrypoint or current.get("Entrypoint"):
        lines.append(f"ENTRYPOINT {json.dumps(list(config.entrypoint))}")
    if config.command or current.get("Cmd"):
        # Docker takes an empty one back from the container; /bin/sh is what images begin with.
        lines.append(f"CMD {json.dumps(list(config.command) or ['/bin/sh'])}")
    for line in lines:
        if "\n" in line or "\r" in line:
            raise InvalidError(
                f"A variable or label of an image cannot hold line breaks: {line!r}.",
                "Write it as one line.",
            )
    return lines


def quoted_word(text: str) -> str:
    """A double-quoted word in which the engines expand nothing."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'


def split_tag(ref: str) -> tuple[str, str]:
    """``host:5000/name:tag`` to (``host:5000/name``, ``tag``); a digest counts as a tag."""
    name, at, digest = ref.partition("@")
    if at:
        return name, digest
    head, colon, tag = ref.rpartition(":")
    if colon and "/" not in tag:
        return head, tag
    return ref, "latest"


def image_id(text: str) -> str:
    """Podman leaves the algorithm out."""
    return text if not text or ":" in text else f"sha256:{text}"


def short_tags(tags: Sequence[str] | None) -> tuple[str, ...]:
    """Podman writes Docker Hub's name before what has no registry; Docker does not."""
    return tuple(_DOCKER_HUB.sub("", tag) for tag in tags or () if "<none>" not in tag)


def image_of(answer: dict[str, Any]) -> Image:
    """An image out of ``GET /images/NAME/json``."""
    config = answer.get("Config") or {}
    return Image(
        id=image_id(answer["Id"]),
        tags=short_tags(answer.get("RepoTags")),
        labels=dict(config.get("Labels") or {}),
        size=int(answer.get("Size") or 0),
        created=timestamp(answer.get("Created")),
        architecture=answer.get("Architecture") or "",
        environment=dict(entry.partition("=")[::2] for entry in config.get("Env") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        user=config.get("User") or "",
        layers=tuple((answer.get("RootFS") or {}).get("Layers") or ()),
    )


def matches(labels: Mapping[str, str] | None, wanted: Mapping[str, str]) -> bool:
    """Whether ``labels`` has all that are wanted; an empty value stands for any but an empty one,
    because a commit can only blank a label, not remove it."""
    found = labels or {}
    return all(
        (found.get(key) == value) if value else bool(found.get(key))
        for key, value in wanted.items()
    )


def label_filter(wanted: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" if value else key for key, value in wanted.items()]
