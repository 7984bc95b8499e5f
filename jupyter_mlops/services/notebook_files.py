"""Notebooks as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read_notebook(file: Path) -> dict[str, Any] | None:
    """The notebook in nbformat 4, whatever version the file has (blocks).

    None where the file is no notebook, whatever its name says.
    """
    import nbformat

    reader: Any = nbformat  # It has no types.
    try:
        notebook: dict[str, Any] = reader.read(file, as_version=4)
    except Exception:  # It fails in many ways on files that are something else.
        return None
    return notebook if isinstance(notebook.get("cells"), list) else None


def language(notebook: dict[str, Any]) -> str:
    """``python``, ``r``, …; python where the notebook does not say."""
    metadata = notebook.get("metadata", {})
    for part, key in (("kernelspec", "language"), ("language_info", "name")):
        found = metadata.get(part, {}).get(key, "")
        if found:
            return str(found).lower()
    return "python"
