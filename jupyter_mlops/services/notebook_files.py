"""Notebooks as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.errors import InvalidError
from ..core.kernel import kernel_name
from ..core.revision import Revision


def read_notebook(file: Path) -> dict[str, Any] | None:
    """A notebook (blocks); None where the file is missing or is no notebook."""
    try:
        return parse_notebook(file.read_bytes())
    except OSError:
        return None


def parse_notebook(content: bytes) -> dict[str, Any] | None:
    """In nbformat 4, whatever version it was written in; None for what is no notebook."""
    import nbformat

    reader: Any = nbformat  # It has no types.
    try:
        notebook: dict[str, Any] = reader.reads(content.decode(), as_version=4)
    except Exception:  # It fails in many ways on JSON that is something else.
        return None
    return notebook if isinstance(notebook.get("cells"), list) else None


def write_notebook(file: Path, notebook: dict[str, Any]) -> None:
    """Write what ``parse_notebook`` gave (blocks)."""
    import nbformat

    writer: Any = nbformat
    file.write_text(writer.writes(writer.from_dict(notebook)))


def language(notebook: dict[str, Any]) -> str:
    """``python``, ``r``, …; python where the notebook does not say."""
    metadata = notebook.get("metadata", {})
    for part, key in (("kernelspec", "language"), ("language_info", "name")):
        found = metadata.get(part, {}).get(key, "")
        if found:
            return str(found).lower()
    return "python"


def kernel_for(notebook: dict[str, Any] | None, name: str, revision: Revision) -> str:
    """The kernel spec of the revision that speaks the notebook's language; ``name`` is the
    file's. Raises InvalidError when it has none of R."""
    spoken = language(notebook) if notebook else "python"
    if spoken == "r" and not revision.r:
        raise InvalidError(
            f"{name} is written in R, and revision {revision.number} of {revision.environment} "
            "has no kernel of R.",
            "Add `r: [IRkernel]`, and the packages it needs, to the environment.",
        )
    return kernel_name(revision.environment, revision.number, spoken)
