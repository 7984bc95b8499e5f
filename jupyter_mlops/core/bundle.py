"""The bundle's config blob: what a snapshot is, without what belongs to one machine.

``snapshot.json`` is canonical JSON (sorted keys, no spaces), and the snapshot's id is its digest.
Fields at their default are left out, so a later version that knows more fields still gives the
same bytes, and so the same id, for the same snapshot.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from .errors import InvalidError
from .snapshot import Snapshot

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = 1
_LOCAL = ("id", "ref", "origin", "publications")
"""The id follows from the rest; the others differ from machine to machine."""


@cache
def _adapter() -> TypeAdapter[Snapshot]:
    # Late, because listing snapshots must not wait for pydantic.
    from pydantic import TypeAdapter

    return TypeAdapter(Snapshot)


def bundle_config(snapshot: Snapshot) -> bytes:
    """The bytes of ``snapshot.json``; equal for equal snapshots on every machine."""
    record = _adapter().dump_python(snapshot, mode="json", exclude_defaults=True)
    for key in _LOCAL:
        record.pop(key, None)
    record["schema"] = SCHEMA
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def config_id(config: bytes) -> str:
    """``s-`` and 16 hex digits of the digest of ``snapshot.json``."""
    return "s-" + hashlib.sha256(config).hexdigest()[:16]


def snapshot_id(snapshot: Snapshot) -> str:
    """The id that this snapshot has; its ``id`` field is not looked at."""
    return config_id(bundle_config(snapshot))


def identified(snapshot: Snapshot) -> Snapshot:
    """The same snapshot with its id filled in."""
    return replace(snapshot, id=snapshot_id(snapshot))


def snapshot_from_config(config: bytes) -> Snapshot:
    """Read ``snapshot.json``. ``ref``, ``origin`` and ``publications`` are empty.

    Raises InvalidError for anything that is not a snapshot, or of a newer version than ours.
    """
    try:
        record = json.loads(config)
        schema = record.pop("schema")
    except (ValueError, KeyError, AttributeError):
        raise InvalidError("This bundle holds no snapshot description.") from None
    if schema != SCHEMA:
        raise InvalidError(
            f"The snapshot was written in format {schema}; this version reads format {SCHEMA}.",
            "Upgrade jupyter-mlops.",
        )
    record |= {"id": config_id(config), "ref": "", "origin": "", "publications": []}
    try:
        return _adapter().validate_python(record)
    except ValueError as error:
        raise InvalidError(f"The snapshot's description cannot be read: {error}") from None
