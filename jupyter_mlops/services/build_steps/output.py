"""The live log of a step: whole lines, secrets masked, the last ones kept for the error."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence

from ...core.ports import Progress

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class StepOutput:
    """Gets chunks as they come. A line is passed on when it is whole, so that a secret which
    two chunks share is masked too."""

    def __init__(
        self,
        progress: Progress,
        secrets: Sequence[str],
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self._progress = progress
        self._secrets = secrets
        self._on_line = on_line
        self._rest = ""
        self.lines: deque[str] = deque(maxlen=400)

    def __call__(self, text: str) -> None:
        *whole, self._rest = (self._rest + text).replace("\r\n", "\n").split("\n")
        for line in whole:
            self._line(line)

    def close(self) -> None:
        if self._rest:
            self._line(self._rest)
            self._rest = ""

    def _line(self, line: str) -> None:
        # A carriage return is a progress bar drawn again: its last state counts.
        line = _COLOUR.sub("", line).rstrip("\r").rpartition("\r")[2].rstrip()
        for secret in self._secrets:
            line = line.replace(secret, "****")
        self.lines.append(line)
        self._progress.log(line + "\n")
        if self._on_line and line:
            self._on_line(line)

    def last(self, count: int = 5) -> str:
        """The last lines that say something."""
        said = [line.strip() for line in self.lines if line.strip()]
        return "\n".join(said[-count:])

    def text(self) -> str:
        return "\n".join(self.lines)
