"""What a notebook's cells put out, made comparable: the same result gives the same text.

Works on notebooks as nbformat 4 JSON. What changes from run to run without meaning anything goes:
execution counts, memory addresses, timings, temporary paths, progress bars, colours, and what pip
says while it installs.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .pictures import describe_picture


@dataclass(frozen=True)
class Output:
    """One sanitised output. Pictures are a line with their size and hash."""

    kind: str
    """``stdout``, ``stderr``, ``error`` or a media type."""
    text: str


@dataclass(frozen=True)
class RecordedCell:
    """What a snapshot keeps of a code cell's outputs."""

    index: int
    """In the notebook, from 0, counting all cells."""
    run: bool
    """Whether it had been run when it was recorded."""
    outputs: str
    """Hash of the sanitised outputs, ``sha256:…``."""


@dataclass(frozen=True)
class RecordedNotebook:
    path: str
    cells: tuple[RecordedCell, ...]


def code_cells(notebook: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The code cells that are not blank, with their index among all cells."""
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code" and joined(cell["source"]).strip():
            yield index, cell


def was_run(cell: Mapping[str, Any]) -> bool:
    return cell.get("execution_count") is not None or bool(cell.get("outputs"))


def record(path: str, notebook: Mapping[str, Any]) -> RecordedNotebook:
    """The hashes of all its code cells."""
    return RecordedNotebook(
        path,
        tuple(
            RecordedCell(index, was_run(cell), digest(outputs(cell)))
            for index, cell in code_cells(notebook)
        ),
    )


def digest(found: tuple[Output, ...]) -> str:
    content = json.dumps([[o.kind, o.text] for o in found], ensure_ascii=False)
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


def difference(before: tuple[Output, ...], after: tuple[Output, ...], limit: int = 200) -> str:
    """A unified diff of at most ``limit`` lines; empty when both are the same."""
    lines = list(
        difflib.unified_diff(_lines(before), _lines(after), "recorded", "now", lineterm="", n=1)
    )
    if len(lines) > limit:
        lines = [*lines[:limit], f"… and {len(lines) - limit} more lines"]
    return "\n".join(lines)


def outputs(cell: Mapping[str, Any]) -> tuple[Output, ...]:
    """The sanitised outputs of a code cell.

    stdout and stderr are each one text, whatever pieces they came in: how they interleave is a
    matter of timing.
    """
    installs = bool(_INSTALLS.search(joined(cell["source"])))
    streams = {"stdout": "", "stderr": ""}
    shown: list[Output] = []
    for output in cell.get("outputs", ()):
        if output["output_type"] == "stream":
            streams[output.get("name", "stdout")] += joined(output["text"])
        elif output["output_type"] == "error":
            # Not the traceback: it holds paths and line numbers of the libraries.
            text = f"{output.get('ename', '')}: {output.get('evalue', '')}"
            shown.append(Output("error", sanitise(text)))
        else:
            shown.extend(_displayed(output.get("data", {})))
    found = []
    for name, text in streams.items():
        clean = sanitise(text, installs)
        if clean:
            found.append(Output(name, clean))
    return (*found, *shown)


def error(cell: Mapping[str, Any]) -> str:
    """``ValueError: …`` of a cell that raised, else empty."""
    for output in cell.get("outputs", ()):
        if output["output_type"] == "error":
            return f"{output.get('ename', '')}: {output.get('evalue', '')}".rstrip(": ")
    return ""


def sanitise(text: str, installs: bool = False) -> str:
    """Text without what changes from run to run. ``installs``: it is a package installer's."""
    text = _ANSI.sub("", text).replace("\r\n", "\n")
    lines = []
    for raw in text.split("\n"):
        # What a terminal would show: a carriage return overwrites the line.
        line = raw.rstrip("\r").rpartition("\r")[2].rstrip()
        if _PROGRESS.search(line) or (installs and _INSTALLER.match(line)):
            continue
        for pattern, replacement in _MASKS:
            line = pattern.sub(replacement, line)
        lines.append(line)
    return "\n".join(lines).strip("\n")


def joined(text: str | list[str]) -> str:
    """nbformat allows a text to be a list of its lines."""
    return text if isinstance(text, str) else "".join(text)


_WIDGETS = "application/vnd.jupyter.widget-"


def _displayed(data: Mapping[str, Any]) -> Iterator[Output]:
    if any(kind.startswith(_WIDGETS) for kind in data):
        # A widget's state is not in its cell, and its text is a random id.
        yield Output("widget", "shown")
        return
    for kind in sorted(data):
        content = data[kind]
        if kind.startswith("image/") and kind != "image/svg+xml":
            yield Output(kind, describe_picture(kind, joined(content)))
        elif isinstance(content, (str, list)):
            yield Output(kind, sanitise(joined(content)))
        else:
            yield Output(kind, sanitise(json.dumps(content, sort_keys=True, ensure_ascii=False)))


def _lines(found: tuple[Output, ...]) -> list[str]:
    return [line for o in found for line in (f"[{o.kind}]", *o.text.split("\n"))]


_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")

_PROGRESS = re.compile(
    r"^.*\d+%\|.*\|"  # tqdm
    r"|[━╸╺]{4,}"  # pip and rich
    r"|^\s*\d+/\d+ .*\[[=>.]+\]"  # Keras
    r"|\d+(\.\d+)?\s*(it/s|s/it)\b"
)

_INSTALLS = re.compile(
    r"^\s*[%!]+\s*(\S*python\S*\s+-m\s+|\{sys\.executable\}\s+-m\s+)?(uv\s+)?(pip3?|conda|mamba)\b",
    re.MULTILINE,
)

_INSTALLER = re.compile(
    r"^\s*(Requirement already satisfied|Collecting |Downloading |Using cached |Obtaining |"
    r"Installing |Successfully (un)?installed|Successfully built|Looking in |Preparing |"
    r"Building |Created wheel|Stored in directory|Attempting uninstall|Found existing|"
    r"Uninstalling |Getting requirements|Defaulting to user|Processing |Saved |"
    r"Note: you may need to restart|\[notice\]|WARNING:|DEPRECATION:|"
    r"Using Python |Resolved \d|Prepared \d|Installed \d|Uninstalled \d|Audited \d|"
    r"Checked \d|[+~-] \S+==|$)"
)

_MASKS = (
    (re.compile(r"\b0x[0-9a-fA-F]{6,}\b"), "0x…"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"), "<id>"),
    (
        re.compile(r"(/private)?(/var)?/tmp/[^\s'\"<>:,)\]]+|/var/folders/[^\s'\"<>:,)\]]+"),
        "/tmp/…",
    ),
    (re.compile(r"\b(In|Out|Cell In|Input In) ?\[\d+\]"), r"\1[…]"),
    (re.compile(r"\bsk-(container|estimator)-id-\d+"), r"sk-\1-id"),
    (re.compile(r"^(CPU times|Wall time):.*"), r"\1: …"),
    (re.compile(r"^.* per loop \(.*\)$"), "… per loop"),
    (
        # "took 3.2 s", "elapsed: 0:00:03", "done in 3 ms"; never a bare "3.2 s", which may be
        # the result itself.
        re.compile(
            r"\b(took|elapsed(?: time)?|duration|runtime|(?:done|finished|completed|trained) in)"
            r"([\s:=]+)(?:\d+:)*\d+(?:\.\d+)?(?:e-?\d+)?"
            r"(?:\s*(?:ns|[µu]s|ms|s|secs?|seconds?|min|minutes?|h)\b)?",
            re.IGNORECASE,
        ),
        r"\1\2…",
    ),
    # The time at which a line was logged.
    (re.compile(r"^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{3,6}\]?"), "<time>"),
    (re.compile(r"<dc:date>[^<]*</dc:date>"), "<dc:date/>"),
)
