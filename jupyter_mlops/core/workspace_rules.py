"""What of a project's files never goes into a snapshot, whatever ``.mlopsignore`` says."""

from __future__ import annotations

from fnmatch import fnmatchcase

from . import secret_rules

IGNORE_FILE = ".mlopsignore"

_KEYS = "may hold keys or passwords"
_HISTORY = "may hold what was typed, passwords too"
_GENERATED = "is made anew when needed"

_FOLDERS = {
    ".git": "history stays in git; remote, commit and state are recorded",
    ".hg": "history stays in version control",
    ".svn": "history stays in version control",
    ".ssh": _KEYS,
    ".aws": _KEYS,
    ".azure": _KEYS,
    ".gnupg": _KEYS,
    ".kube": _KEYS,
    ".docker": _KEYS,
    ".kaggle": _KEYS,
    ".huggingface": _KEYS,
    "gcloud": _KEYS,
    ".jupyter": _KEYS,
    ".ipython": _HISTORY,
    ".ipynb_checkpoints": _GENERATED,
    "__pycache__": _GENERATED,
    ".cache": _GENERATED,
    ".mypy_cache": _GENERATED,
    ".ruff_cache": _GENERATED,
    ".pytest_cache": _GENERATED,
    "node_modules": _GENERATED,
    ".venv": "packages are in the image",
}

_FILES = (
    ("*.pem", _KEYS),
    ("*.key", _KEYS),
    ("*.p12", _KEYS),
    ("*.pfx", _KEYS),
    ("*.jks", _KEYS),
    ("*.kdbx", _KEYS),
    (".condarc", _KEYS),
    (".boto", _KEYS),
    (".env", _KEYS),
    (".env.*", _KEYS),
    # The names ssh-keygen gives; not id_*, which would take id_mapping.csv with it.
    ("id_rsa*", _KEYS),
    ("id_dsa*", _KEYS),
    ("id_ecdsa*", _KEYS),
    ("id_ed25519*", _KEYS),
    (".git", "leads to a repository of this machine"),
    (".sqlite_history", _HISTORY),
    ("*.pyc", _GENERATED),
    (".DS_Store", _GENERATED),
)

_TEMPLATES = (".env.example", ".env.sample", ".env.template")


def denied(path: str, folder: bool = False) -> str:
    """Why this path never travels; empty when it may.

    ``path`` is relative to the project, with ``/``. A path below a denied folder is denied too,
    so the rule holds for the members of an archive as well as for a walk.
    """
    *parents, name = path.rstrip("/").split("/")
    for part in [*parents, name] if folder else parents:
        if part in _FOLDERS:
            return _FOLDERS[part]
    if folder or name in _TEMPLATES:
        return ""
    secret = secret_rules.denied(path)
    if secret:
        return f"may hold {secret}"
    return next((why for pattern, why in _FILES if fnmatchcase(name, pattern)), "")
