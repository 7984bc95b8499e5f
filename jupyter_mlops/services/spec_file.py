"""The specification file of an environment: YAML to EnvironmentSpec."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timezone
from keyword import iskeyword
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from ..core.environment import EnvironmentSpec, Resources
from ..core.errors import InvalidError
from ..core.limits import memory

KEYS = (
    "name",
    "base",
    "description",
    "python",
    "apt",
    "r",
    "variables",
    "secrets",
    "setup",
    "preload",
    "smoke",
    "date",
    "network",
    "resources",
)
RESOURCE_KEYS = ("cpus", "memory", "pids", "shm", "gpus")
RESERVED_VARIABLES = frozenset({"PATH", "VIRTUAL_ENV", "HOME", "HOSTNAME", "PWD", "TERM"})
"""Ours or the engine's: setting them would break the environment."""

_APT = re.compile(r"^[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?(?:=[A-Za-z0-9.+:~-]+)?$")
_R = re.compile(r"^[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9](?:(?:==|>=)[0-9]+(?:[.-][0-9]+)*)?$")
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_SECRET_WORDS = frozenset({"SECRET", "PASSWORD", "PASSWD", "TOKEN", "CREDENTIAL", "CREDENTIALS"})
_SECRET_ENDS = ("API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY")


def parse_spec(text: str, directory: Path | None = None) -> EnvironmentSpec:
    """Read a specification. Entries of ``python`` that name a file are looked up in ``directory``.

    Raises InvalidError that names the key, and a likely one for a key that is not known.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise InvalidError(
            f"The environment file is not valid YAML{where}: "
            f"{getattr(error, 'problem', '') or 'it cannot be read'}.",
            "Check the indentation, and put quotes around values that contain `: ` or `#`.",
        ) from None
    if not isinstance(found, dict):
        raise InvalidError(
            "The environment file has no `key: value` lines.",
            "It needs at least `name: …` and `base: …`.",
        )
    _known(found, KEYS, "the environment file")
    if not found.get("name"):
        raise InvalidError("The environment file has no name.", "Add a line `name: …`.")
    spec = EnvironmentSpec(
        name=_string(found, "name"),
        base=_string(found, "base"),
        description=_string(found, "description"),
        python=_python(found.get("python"), directory),
        apt=_strings(found.get("apt"), "apt"),
        r=_strings(found.get("r"), "r"),
        variables=_variables(found.get("variables")),
        secrets=_strings(found.get("secrets"), "secrets"),
        setup=_string(found, "setup"),
        preload=_strings(found.get("preload"), "preload"),
        smoke=_string(found, "smoke"),
        date=_date(found.get("date")),
        network=_string(found, "network") or "outbound",
        resources=_resources(found.get("resources")),
    )
    return validated(spec)


def validated(spec: EnvironmentSpec) -> EnvironmentSpec:
    """The same specification in normal form; raises InvalidError. For forms as for files."""
    for text in spec.python:
        check_requirement(text)
    for name in spec.apt:
        if not _APT.match(name):
            raise InvalidError(
                f"{name!r} in apt: is not the name of a distribution package.",
                "Write names as `apt install` takes them, such as libgomp1 or libgomp1=12.2.0-14.",
            )
    for text in spec.r:
        check_r_package(text)
    for name, value in spec.variables.items():
        check_variable(name, value)
    for name in spec.secrets:
        _check_secret(name, spec.variables)
    for name in spec.preload:
        _check_module(name)
    _check_smoke(spec.smoke)
    if spec.date and date.fromisoformat(spec.date) > datetime.now(timezone.utc).date():
        raise InvalidError(
            f"date: {spec.date} has not come yet.", "Leave the date out to have what there is now."
        )
    if min(spec.resources.cpus, spec.resources.memory, spec.resources.gpus) < 0:
        raise InvalidError("resources: limits cannot be negative.", "0 means no limit.")
    return replace(
        spec,
        python=tuple(" ".join(text.split()) for text in spec.python),
        secrets=tuple(dict.fromkeys(spec.secrets)),
        preload=tuple(dict.fromkeys(spec.preload)),
        smoke_notebook=spec.smoke_notebook if spec.smoke else "",
    )


def check_requirement(text: str) -> Requirement:
    """Parse one PEP 508 requirement; raises InvalidError that quotes it."""
    # What is quoted in messages is logged and stored.
    shown = re.sub(r"//[^/@\s]*@", "//****@", text)
    is_file = text.endswith((".whl", ".tar.gz", ".zip")) and "://" not in text
    if is_file or text.startswith(("-", ".", "/")):
        raise InvalidError(
            f"{shown!r} in python: is an option or a path, not a package.",
            "Write packages as `pandas>=2` or `name @ https://…`. Files of your own are best "
            "imported from the notebook's folder, which every kernel sees.",
        )
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0].replace(text, shown).rstrip(".")
        raise InvalidError(
            f"{shown!r} in python: is not a package requirement: {reason}.",
            "Write it as `pandas`, `pandas>=2` or `scikit-learn==1.7.*`.",
        ) from None
    if requirement.url and "@" in urlsplit(requirement.url).netloc.rpartition("git@")[2]:
        raise InvalidError(
            f"The address of {requirement.name!r} in python: holds a password or token.",
            "An environment is shared with others: put credentials of package indexes into "
            "the server's settings (Mlops.index_url).",
        )
    return requirement


def check_r_package(text: str) -> None:
    """Raises InvalidError for what is neither ``name`` nor ``name==version``, ``name>=version``."""
    if not _R.match(text):
        raise InvalidError(
            f"{text!r} in r: is not a package of R.",
            "Write names as `install.packages` takes them, such as data.table, or with a version: "
            "data.table==1.14.8.",
        )


def requirements_file(
    file: Path, seen: tuple[Path, ...] = (), within: Path | None = None
) -> tuple[str, ...]:
    """The requirements of a ``requirements.txt``, and of those it includes with ``-r``, which
    must be below ``within`` if that is given. Raises InvalidError for other options."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InvalidError(
            f"The requirements file {file.name!r} cannot be read.",
            f"It is looked for at {file}.",
        ) from None
    found: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        entry = re.sub(r"(^|\s)#.*$", "", line).strip()
        entry = re.sub(r"\s--hash=\S+", "", entry).strip()
        if not entry:
            continue
        include = re.match(r"^(?:-r|--requirement)[ =]?\s*(\S+)$", entry)
        if include:
            inner = (file.parent / include[1]).resolve()
            if within and not inner.is_relative_to(within):
                raise InvalidError(
                    f"{file.name} includes {include[1]!r}, which is outside its folder.",
                    "Copy it beside it, and include it from there.",
                )
            if inner not in seen:
                found.extend(requirements_file(inner, (*seen, file.resolve()), within))
        elif re.match(r"^(-e|--editable)\b", entry):
            found.append(entry)
        elif entry.startswith("-"):
            raise InvalidError(
                f"{file.name}: the option {entry.split()[0]!r} is not supported.",
                "Package indexes are part of the server's settings; remove the line.",
            )
        else:
            found.append(entry)
    return tuple(found)


def _known(found: dict[Any, Any], keys: Sequence[str], where: str) -> None:
    for key in found:
        if key in keys:
            continue
        close = difflib.get_close_matches(str(key), keys, 1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(keys)}."
        raise InvalidError(f"{str(key)!r} is not a known key of {where}.", hint)


def _string(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise InvalidError(f"{key}: must be a text.", f"Write `{key}: …` on one line.")
    return str(value).strip() if key != "setup" else str(value)


def _date(value: object) -> str:
    """YAML makes a date of what looks like one."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)


def _strings(value: object, key: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(value.split())
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidError(f"{key}: must be a list of texts.", f"Write `{key}: [one, two]`.")
    return tuple(item.strip() for item in value if item.strip())


def _python(value: object, directory: Path | None) -> tuple[str, ...]:
    """Requirements; entries that end in ``.txt`` are requirement files."""
    items = [value] if isinstance(value, str) else value
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise InvalidError(
            "python: must be a list of packages, or name a requirements file.",
            "Write `python: [pandas>=2, scikit-learn]` or `python: requirements.txt`.",
        )
    found: list[str] = []
    for item in (str(item).strip() for item in items):
        if not item.endswith(".txt"):
            found.append(item)
        elif directory is None:
            raise InvalidError(
                f"python: names the file {item!r}, but this text has no folder of its own.",
                "List the packages themselves.",
            )
        else:
            found.extend(requirements_file(directory / item))
    return tuple(found)


def _variables(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidError("variables: must be `NAME: value` lines.")
    for name, item in value.items():
        if isinstance(item, bool) or not isinstance(item, (str, int, float)):
            raise InvalidError(
                f"variables: the value of {name!r} must be a text.", 'Put it in quotes: "true".'
            )
    return {str(name): str(item) for name, item in value.items()}


def check_variable(name: str, value: str) -> None:
    """Raises InvalidError for one that an environment cannot have."""
    if not _VARIABLE.match(name):
        raise InvalidError(
            f"variables: {name!r} cannot be the name of a variable.",
            "Use letters, digits and underscores, not beginning with a digit.",
        )
    if name in RESERVED_VARIABLES:
        raise InvalidError(f"variables: {name} is set by the environment itself.", "Leave it out.")
    if "\0" in value or "\n" in value:
        raise InvalidError(f"variables: the value of {name} must be on one line.")
    words = name.upper().split("_")
    if _SECRET_WORDS & set(words) or name.upper().endswith(_SECRET_ENDS):
        raise InvalidError(
            f"variables: {name} looks like a secret, and variables are public: they are stored "
            "in the environment's image and travel with it.",
            f"Write `secrets: [{name}]`, and where its value is in the server's settings "
            "(Mlops.secrets).",
        )


def _check_secret(name: str, variables: Mapping[str, str]) -> None:
    if not _VARIABLE.match(name):
        # Not quoted: it may be the value itself.
        raise InvalidError(
            "secrets: must be names of variables, such as WANDB_API_KEY.",
            "Values never belong into an environment: the server's settings say where they are "
            "(Mlops.secrets).",
        )
    if name in RESERVED_VARIABLES:
        raise InvalidError(f"secrets: {name} is set by the environment itself.", "Leave it out.")
    if name in variables:
        raise InvalidError(
            f"{name} is both in variables: and in secrets:.", "Leave it in one of them."
        )


def _check_module(name: str) -> None:
    if all(part.isidentifier() and not iskeyword(part) for part in name.split(".")):
        return
    raise InvalidError(
        f"preload: {name!r} is not the name of a Python module.",
        "Write modules as `import` takes them: `sklearn.linear_model`, not `scikit-learn`.",
    )


def _check_smoke(path: str) -> None:
    if not path:
        return
    parts = PurePosixPath(path).parts
    if not path.endswith(".ipynb") or path.startswith("/") or ".." in parts:
        raise InvalidError(
            f"smoke: {path!r} is not a notebook below this folder.",
            "Write its path from here, such as `smoke: tests/smoke.ipynb`.",
        )


def _resources(value: object) -> Resources:
    if value is None:
        return Resources()
    if not isinstance(value, dict):
        raise InvalidError("resources: must be `cpus: …` and `memory: …` lines.")
    _known(value, RESOURCE_KEYS, "resources")
    default = Resources()
    numbers: dict[str, float] = {}
    for key in ("cpus", "pids", "gpus"):
        item = value.get(key, getattr(default, key))
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            raise InvalidError(f"resources: {key}: {item!r} is not a number.")
        numbers[key] = item
    return Resources(
        cpus=float(numbers["cpus"]),
        memory=memory(value.get("memory", default.memory)),
        pids=int(numbers["pids"]),
        shm=memory(value.get("shm", default.shm), "shm"),
        gpus=int(numbers["gpus"]),
    )
