"""REPRODUCING.md: how somebody without this software runs a snapshot, in ten years too."""

from __future__ import annotations

from ..core.inventory import Inventory
from ..core.snapshot import Snapshot

RUN_NOTEBOOK = """import json, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        shell.run_cell("".join(cell["source"])).raise_error()
"""
"""Runs all cells with what every kernel's environment has anyway."""


def reproducing_text(snapshot: Snapshot, inventory: Inventory) -> bytes:
    """The text, as UTF-8. Without the snapshot's id, which depends on this text."""
    drift, image, git = snapshot.drift, snapshot.image, snapshot.workspace.git
    installed = ", ".join(f"{c.name} {c.after}" for c in drift.added if c.ecosystem == "pypi")
    first = next(iter(snapshot.workspace.notebooks), "NOTEBOOK.ipynb")
    lines = [
        f"# {snapshot.name}",
        "",
        *([snapshot.note, ""] if snapshot.note else []),
        f"A snapshot that {snapshot.owner} made on {snapshot.created[:10]}: a container image in",
        "which notebooks ran, and the files they ran on. This page says how to run it with a",
        "container engine alone (Docker, Podman), without jupyter-mlops.",
        "",
        "## What is here",
        "",
        f"- Image `{image}` (its id: the digest of its configuration, the same on every engine).",
        f"  {inventory.os}, {inventory.implementation} {inventory.python}, {inventory.libc}, "
        f"{inventory.arch}.",
        f"- It is environment `{snapshot.environment}`, revision {snapshot.revision}; packages "
        f"since then: {drift.summary()}" + (f" ({installed})." if installed else "."),
        "- `workspace.tar.gz`: the project's files, the notebooks with their outputs.",
        "- `inventory.json`: every package in the image. `sbom.cdx.json`: the same as CycloneDX.",
        "- `pylock.toml` (PEP 751): the Python packages with hashes, to install them elsewhere.",
        "- `outputs.json`: a hash of each cell's outputs, without what changes from run to run.",
        "- `provenance.json`: what came from where, as an in-toto statement.",
        "",
        "Not here: HOME, data outside the project's folder, secrets, running variables.",
        "",
        "## Run it",
        "",
        "1. Get the image. In the registry its tag is this snapshot's id followed by `.image`:",
        "",
        "       docker pull REGISTRY/TEAM/PROJECT:ID.image",
        f"       docker inspect --format '{{{{.Id}}}}' REGISTRY/TEAM/PROJECT:ID.image   # {image}",
        "",
        "   From a file that `snapshot save` wrote: `docker load -i FILE`.",
        "",
        "2. Unpack the files into a new folder:",
        "",
        "       mkdir project && tar -xzf workspace.tar.gz -C project && cd project",
        "",
        "3. Run a notebook. Every environment has IPython, so this needs nothing else:",
        "",
        "       cat > /tmp/run_notebook.py <<'EOF'",
        *(f"       {line}".rstrip() for line in RUN_NOTEBOOK.splitlines()),
        "       EOF",
        '       docker run --rm --network none -v "$PWD:$PWD" -w "$PWD" \\',
        "         -v /tmp/run_notebook.py:/run_notebook.py:ro IMAGE \\",
        f"         python /run_notebook.py {first}",
        "",
        "   Leave `--network none` out if the notebook needs the network.",
        "",
        "## Without this image",
        "",
        f"With Python {'.'.join(inventory.python.split('.')[:2])} and uv:",
        "",
        "    uv venv && uv pip sync pylock.toml",
        "",
        "This brings back the Python packages that an index has, not the operating system's, nor",
        "what the lock lists as unresolved.",
        "",
    ]
    if git is not None:
        state = "with changes that were not committed" if git.dirty else "without further changes"
        where = f" of {git.remote}" if git.remote else ""
        lines += ["## Version control", "", f"Commit {git.commit}{where}, {state}.", ""]
    return "\n".join(lines).encode()
