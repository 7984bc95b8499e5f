"""Failures of installing packages of R, in sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from ...core.additions import r_name
from ...core.errors import BuildFailedError, MlopsError
from .failures import disk_full_in, step_failed
from .missing_parts import missing
from .output import StepOutput

_TOLD = re.compile(r"^mlops: (\w+)(?: (\S+))?(?: (.*?))? *$", re.M)
_FAILED = re.compile(r"^ERROR: (.*?) for package .([A-Za-z0-9.]+).", re.M)
_DEBIAN = re.compile(r"\bdeb: +([a-z0-9][a-z0-9+.-]+)")


def r_failed(
    wanted: Sequence[str], known: Mapping[str, str], mirror: str
) -> Callable[[int, StepOutput], MlopsError]:
    """``known``: package to the version of the distribution, where it has another one than is
    ``wanted``; ``mirror`` may be shown."""
    host = urlsplit(mirror).netloc or mirror

    def failed(code: int, output: StepOutput) -> MlopsError:
        text = output.text()
        if disk_full_in(text):
            return step_failed("r", code, output)
        told = _TOLD.search(text)
        if told and told[1] != "failed":
            message, hint = _explained(told[1], told[2] or "", told[3] or "")
            return BuildFailedError(f"The build failed in the step r: {message}", hint)
        if _FAILED.search(text):
            return _not_built(output)
        return step_failed("r", code, output)

    def _explained(kind: str, name: str, more: str) -> tuple[str, str]:
        if kind == "unreachable":
            return (
                f"the distribution has no {_asked(wanted, known)}, and the CRAN mirror {host} does "
                "not answer.",
                "Check the names and versions; else set Mlops.cran_mirror in Jupyter's "
                "configuration to a mirror that this machine reaches, or its proxy in "
                "Mlops.proxies.",
            )
        if kind == "version":
            return (
                f"the CRAN mirror {host} does not have the version of {name} that is asked for; it "
                f"has {more}.{_distribution(name)}",
                "Ask for one of these versions, or leave the version out.",
            )
        if kind == "newer":
            needs = re.search(r"R \(>= *([0-9.]+)\)", more)
            return (
                f"the package {name} needs {'R ' + needs[1] if needs else 'another R'} or later, "
                "and the base image has an older one.",
                f"Choose a base image with a newer R, or an older version: {name}==VERSION.",
            )
        return (
            f"neither the distribution nor the CRAN mirror {host} has a package of R named "
            f"{name!r}.{_distribution(name)}",
            f"Did you mean {more!r}?"
            if more
            else "Check the name under `r:`; capital and small letters are not the same.",
        )

    def _distribution(name: str) -> str:
        return f" The distribution has {known[name].split()[-1]}." if name in known else ""

    return failed


def _asked(wanted: Sequence[str], known: Mapping[str, str]) -> str:
    """``foo, nor data.table==1.15 (it has 1.14.8+dfsg-1)``."""
    shown = []
    for text in wanted:
        version = known.get(r_name(text), "")
        shown.append(f"{text} (it has {version.split()[-1]})" if version else text)
    return ", ".join(shown)


def _not_built(output: StepOutput) -> MlopsError:
    """The package's own compilation or script failed."""
    text = output.text()
    # The first one: others fail since they need it.
    found = _FAILED.search(text)
    assert found is not None
    name = found[2]
    start = f"The build failed in the step r: the package {name} could not be installed"
    suggested = _DEBIAN.search(text)
    wanting = missing(list(output.lines))
    if suggested:
        return BuildFailedError(
            f"{start}, since a system library is missing. It said: {suggested[0].strip()}",
            f"Add `apt: [{suggested[1]}]`.",
        )
    if wanting:
        hint = (
            f"Add `apt: [{', '.join(wanting.apt)}]` for {wanting.what}."
            if wanting.apt
            else f"{wanting.what} comes with a distribution package, mostly one that ends in "
            "-dev. Look for it at packages.debian.org, and add it under `apt:`."
        )
        return BuildFailedError(
            f"{start}, since {wanting.what} is missing. It said: {wanting.line}", hint
        )
    reasons = [
        line.strip()
        for line in output.lines
        if re.search(r"\berror\b|ERROR|not found|No such file", line) and "mlops:" not in line
    ]
    return BuildFailedError(
        f"{start}. It said: {reasons[0] if reasons else found[0]}",
        "The whole output is in the operation's log. An older version may go with this R: "
        f"{name}==VERSION.",
    )
