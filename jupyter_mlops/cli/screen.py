"""What the command line shows: JSON, or tables and progress by rich on a terminal, plain else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..core.errors import MlopsError, SecretsFoundError
from ..core.operation import Operation

if TYPE_CHECKING:
    from rich.console import Console

Listener = Callable[[Operation, "str | None"], None]


def plain(data: Any) -> Any:
    """JSON's own types, snake_case, as in the store and the REST interface."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(data, bytes_mode="utf8")


class Screen:
    """Results go to stdout; progress, errors and notes to stderr."""

    def __init__(self, json: bool = False) -> None:
        self._json = json
        self._consoles: dict[str, Console] = {}

    def _console(self, name: str) -> Console:
        if name not in self._consoles:
            from rich.console import Console

            console = Console(stderr=name == "stderr", highlight=False, emoji=False, markup=False)
            # A person's lines are wrapped between words; other programs get whole lines.
            console.soft_wrap = not console.is_terminal
            self._consoles[name] = console
        return self._consoles[name]

    # ------------------------------------------------------------------------- results

    def answer(self, data: Any, show: Callable[[Screen], None]) -> None:
        if self._json:
            print(json.dumps(plain(data), indent=2, ensure_ascii=False), flush=True)
        else:
            show(self)

    def line(self, text: str = "", style: str = "") -> None:
        self._console("stdout").print(text, style=style or None)

    def text(self, text: str) -> None:
        """As it is, for logs and locks."""
        sys.stdout.write(text if not text or text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
        """``empty`` is what to say, and what to do next, when there are no rows."""
        if not rows:
            self.note(empty)
            return
        texts = [[str(cell) for cell in row] for row in rows]
        console = self._console("stdout")
        if not console.is_terminal:
            # Columns for other programs: never cut, never wrapped.
            lines = [[c.upper() for c in columns], *texts]
            widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
            for line in lines:
                padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
                print("  ".join(padded).rstrip())
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for number, column in enumerate(columns):
            table.add_column(column, overflow="fold", style="cyan" if number == 0 else None)
        for cells in texts:
            table.add_row(*(Text(cell) for cell in cells))
        console.print(table)

    def facts(self, facts: dict[str, Any]) -> None:
        """Names and values, one a line; empty ones are left out."""
        from rich.text import Text

        shown = {name: value for name, value in facts.items() if value not in ("", None, (), [])}
        width = max((len(name) for name in shown), default=0)
        for name, value in shown.items():
            if isinstance(value, (list, tuple)):
                value = ", ".join(map(str, value))
            line = Text.assemble((f"{name.ljust(width)}  ", "dim"), str(value))
            self._console("stdout").print(line)

    # ------------------------------------------------------------------------ messages

    def note(self, text: str) -> None:
        self._console("stderr").print(text, style="dim")

    def ask(self, question: str) -> bool:
        return self._console("stderr").input(f"{question} [y/N] ").strip().lower() in ("y", "yes")

    def error(self, error: MlopsError) -> None:
        """The message, then what to do; with ``--json`` also as JSON."""
        if self._json:
            document = {"code": error.code, "message": error.message, "hint": error.hint}
            if isinstance(error, SecretsFoundError):
                document["findings"] = plain(error.findings)
            print(json.dumps({"error": document}, ensure_ascii=False), flush=True)
        console = self._console("stderr")
        console.print(error.message, style="bold red")
        if isinstance(error, SecretsFoundError) and not self._json:
            for finding in error.findings:
                where = f"{finding.path}:{finding.line}" if finding.line else finding.path
                console.print(f"  {where}  {finding.rule}  {finding.excerpt}")
        if error.hint:
            console.print(error.hint)

    # ------------------------------------------------------------------------ progress

    @contextmanager
    def progress(self) -> Iterator[Listener]:
        """A listener for ``operations.run``."""
        from .progress import LineProgress, LiveProgress

        console = self._console("stderr")
        shown = LiveProgress(console) if console.is_terminal else LineProgress(console)
        with shown:
            yield shown.changed
