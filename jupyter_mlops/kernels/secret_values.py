"""The values of the secrets that an environment names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from ..core.errors import InvalidError, NotFoundError

Ask = Callable[[tuple[str, ...]], Awaitable[dict[str, str]]]


class Secrets:
    """Of one kernel: from the settings, or from the user, who is asked once."""

    def __init__(
        self, names: Sequence[str], places: Mapping[str, str], given: Mapping[str, str]
    ) -> None:
        self._names = names
        self._places = places
        self._given = dict(given)
        """In memory alone, also for the kernel's restarts."""

    async def values(self, ask: Ask | None) -> dict[str, str]:
        """By name. ``ask`` gets values of those that are nowhere; None: nobody can be asked.
        Raises as ``secret_values``, and what ``ask`` raises."""
        missing = [name for name in self._names if name not in {*self._places, *self._given}]
        if missing and ask is not None:
            self._given.update(await ask(tuple(missing)))
        names = [name for name in self._names if name not in self._given]
        found = await asyncio.to_thread(secret_values, names, self._places, os.environ)
        return {**found, **{n: self._given[n] for n in self._names if n in self._given}}


def secret_values(
    names: Sequence[str], places: Mapping[str, str], server: Mapping[str, str]
) -> dict[str, str]:
    """Name to value. ``places`` are ``Mlops.secrets``, ``server`` this process's variables.

    Looked up at each start of a kernel, so that a changed value needs no new server. Raises
    NotFoundError for one that is not there and InvalidError for one that cannot be used;
    neither quotes a value, nor a setting, which may be one by mistake.
    """
    return {name: _value(name, places.get(name), server) for name in names}


def _value(name: str, place: str | None, server: Mapping[str, str]) -> str:
    if place is None:
        raise NotFoundError(
            f"The environment needs the secret {name}, which this server does not have.",
            f"Say where its value is in the server's settings: "
            f"c.Mlops.secrets = {{{name!r}: 'env:{name}'}} or 'file:/path/to/it'. "
            "A notebook in JupyterLab, and `jupyter mlops run` on a terminal, ask for it.",
        )
    kind, _, where = place.partition(":")
    if kind == "env" and where:
        value = server.get(where)
        if value is None:
            raise NotFoundError(
                f"The secret {name} is to come from the variable {where}, which is not set.",
                "Set it for the Jupyter server, and start the server again.",
            )
    elif kind == "file" and where:
        value = _content(name, Path(where).expanduser())
    else:
        raise InvalidError(
            f"The setting Mlops.secrets says for {name} neither 'env:NAME' nor 'file:PATH'.",
            "A value itself does not belong there: put it into a file that only the server's "
            "user can read.",
        )
    if not value or "\0" in value:
        raise InvalidError(
            f"The secret {name} is empty, or not a text.", f"Its value comes from {kind}:{where}."
        )
    return value


def _content(name: str, file: Path) -> str:
    try:
        # Editors and `echo` end a file with a new line that is not part of a key.
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text"
        raise NotFoundError(
            f"The secret {name} is to come from the file {file}, which cannot be read: {reason}.",
            "Check the path and its rights; the Jupyter server reads it.",
        ) from None
