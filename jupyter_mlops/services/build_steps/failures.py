"""From what a failing step printed to one or two sentences that a data scientist understands."""

from __future__ import annotations

import re
from collections.abc import Callable

from ...core.errors import BuildFailedError, DiskFullError, MlopsError, UnsatisfiableError
from .missing_parts import missing
from .output import StepOutput

_DISK_FULL = re.compile(r"No space left on device|not enough free space|Disk quota exceeded")
_CERTIFICATE = re.compile(
    r"invalid peer certificate|certificate verify failed|CERTIFICATE_VERIFY_FAILED|"
    r"Certificate verification failed|UnknownIssuer"
)
_NO_NETWORK = re.compile(
    r"dns error|Temporary failure (?:in name resolution|resolving)|Could not resolve|"
    r"Connection refused|Network is unreachable|Could not connect|tcp connect error|"
    r"error sending request|operation timed out|Connection timed out|No route to host"
)
_DENIED = re.compile(r"\b(?:401 +Unauthorized|403 +Forbidden|407 +Proxy)")
_SERVER_ERROR = re.compile(r"HTTP status server error \((5\d\d [^)]*)\)|^E: .*(5\d\d  \w.*)$", re.M)
_PYTHON_BUILD = re.compile(r"Failed to build [`'\"]?([A-Za-z0-9._-]+)")
_URL = re.compile(r"https?://[^\s`'\")]+")


def step_failed(step: str, code: int, output: StepOutput, what: str = "") -> MlopsError:
    """A failure of any step. ``what`` completes "The build failed in the step X, …"."""
    text = output.text()
    if disk_full_in(text):
        return disk_full(f"The build failed in the step {step}")
    known = _unreachable(step, text)
    if known:
        return known
    if code == 137:
        return BuildFailedError(
            f"The build failed in the step {step}: the engine ended it, most likely because the "
            "machine ran out of memory.",
            "Close other work on this machine and build again.",
        )
    last = output.last(4)
    said = f" It said: {last}" if last else f" Its exit code was {code}."
    return BuildFailedError(
        f"The build failed in the step {step}{', ' + what if what else ''}.{said}",
        "The whole output is in the operation's log.",
    )


def disk_full_in(text: str) -> bool:
    """Whether a program complained of it."""
    return bool(_DISK_FULL.search(text))


def disk_full(where: str) -> DiskFullError:
    return DiskFullError(
        f"{where}: the container engine's disk is full.",
        "Delete environments and snapshots that are not needed any more, and build again. An "
        "administrator can let the engine free what nothing uses (`docker system prune`, `podman "
        "system prune`).",
    )


def resolve_failed(day: str = "") -> Callable[[int, StepOutput], MlopsError]:
    """Of ``uv pip compile``, as the index was on ``day``."""

    def failed(code: int, output: StepOutput) -> MlopsError:
        text = output.text()
        _, found, reason = text.partition("No solution found when resolving dependencies")
        if not found or _unreachable("resolve", text):
            return python_failed("resolve")(code, output)
        if day and "is missing an upload date" in text:
            return BuildFailedError(
                "The build failed in the step resolve: the package index does not tell when its "
                f"files were uploaded, so those it had on {day} cannot be found.",
                "Leave the date out, or use an index that gives upload times, as pypi.org does.",
            )
        return UnsatisfiableError(*_unsatisfiable(reason, day))

    return failed


def _unsatisfiable(text: str, day: str) -> tuple[str, str]:
    """Message and hint of uv's proof: its facts, without its inferences."""
    proof, _, hints = re.sub(r"[╰─▶│├\u00d7]+", " ", text).partition("hint:")
    proof = " ".join(re.sub(r"^.*?(?=Because)", "", proof, count=1, flags=re.DOTALL).split())
    sentences = re.split(r"(?<=\.) +(?=[A-Z])", proof)
    facts: list[str] = []
    for sentence in sentences:
        premise = re.split(r",? we can conclude that", sentence)[0]
        premise = re.sub(r"^(?:And because|Because|And) +", "", premise).rstrip(" .,")
        if premise and not premise.startswith("we can conclude"):
            facts.append(premise)
    # The last facts lead to the contradiction; the first ones are often lists of versions.
    shown = facts[-2:] if len(facts) > 2 else facts
    reason = ". ".join(fact[0].upper() + fact[1:] for fact in shown if fact)
    if len(reason) > 500:
        reason = reason[:500].rsplit(" ", 1)[0] + " …"
    if "not found in the package registry" in proof or "was not found" in proof:
        hint = "Check the spelling of the package, and that the package index has it."
    else:
        hint = "Loosen one of the version limits, or remove a package."
    extra = " ".join(hints.split())
    if "pre-releases" in extra:
        hint = "Only pre-releases fit: ask for one by its version, such as `name>=2.0rc1`."
    elif "Python" in reason and ("Requires-Python" in proof or "Python>=" in proof):
        hint = "Use a base image with another Python, or another version of the package."
    if day and "exclude-newer" in extra:
        hint = f"The index had nothing that fits on {day}: choose a later date, or leave it out."
    return f"These packages cannot be installed together. {reason}.", hint


def python_failed(step: str) -> Callable[[int, StepOutput], MlopsError]:
    """Of installing Python packages: names the package that could not be built."""

    def failed(code: int, output: StepOutput) -> MlopsError:
        text = output.text()
        package = _PYTHON_BUILD.search(text)
        if not package or _DISK_FULL.search(text):
            return step_failed(step, code, output)
        name = package[1].rstrip(".")
        wanting = missing(list(output.lines))
        if wanting:
            return BuildFailedError(
                f"The build failed in the step {step}: the package {name} has no ready-made file "
                f"for this system and could not be compiled, since {wanting.what} is missing. "
                f"It said: {wanting.line}",
                wanting.hint,
            )
        reasons = [
            line.strip()
            for line in output.lines
            if re.search(r"\berror\b|not found|No such file|Error:", line, re.IGNORECASE)
        ]
        reason = f" It said: {reasons[-1]}" if reasons else f" It said: {output.last(2)}"
        return BuildFailedError(
            f"The build failed in the step {step}: the package {name} has no ready-made file for "
            f"this system and could not be compiled.{reason}",
            "Compilers come from distribution packages: add `apt: [build-essential, "
            "python3-dev]`, or choose a version that has a wheel.",
        )

    return failed


def apt_failed(code: int, output: StepOutput, step: str = "apt") -> MlopsError:
    """Of ``apt-get``: names the package."""
    text = output.text()
    for pattern in (
        r"E: Unable to locate package (\S+)",
        r"E: Package '([^']+)' has no installation candidate",
        r"E: Version '[^']+' for '([^']+)' was not found",
        r"E: Couldn't find any package by (?:glob|regex) '([^']+)'",
    ):
        found = re.search(pattern, text)
        if found:
            return BuildFailedError(
                f"The build failed in the step {step}: the distribution has no package "
                f"{found[1]!r}{_version(found[0])}.",
                f"Check the name under `{step}:`; it is the name that `apt install` takes.",
            )
    errors = [line.strip()[3:] for line in output.lines if line.startswith("E: ")]
    general = step_failed(step, code, output)
    if errors and type(general) is BuildFailedError and general.message.find("It said") >= 0:
        broken = re.search(r"error processing package (\S+)", text)
        who = f" The package {broken[1]} could not be set up." if broken else ""
        return BuildFailedError(
            f"The build failed in the step {step}.{who} It said: {errors[0]}", general.hint
        )
    return general


def _version(line: str) -> str:
    found = re.search(r"Version '([^']+)'", line)
    return f" in version {found[1]}" if found else ""


def setup_failed(code: int, output: StepOutput) -> MlopsError:
    general = step_failed("setup", code, output)
    if type(general) is not BuildFailedError or "It said" not in general.message:
        return general
    return BuildFailedError(
        f"The build failed in the step setup: the script ended with exit code {code}. "
        f"It said: {output.last(3)}",
        "The script stops at the first command that fails; the whole output is in the "
        "operation's log.",
    )


def _unreachable(step: str, text: str) -> MlopsError | None:
    """Network, certificate and right, which look alike in all steps."""
    url = _URL.search(text)
    host = f" {url[0].split('/')[2].rpartition('@')[2]}" if url else ""
    source = _source(step, text)
    if _CERTIFICATE.search(text):
        return BuildFailedError(
            f"The build failed in the step {step}: {source.lower()}{host} has a certificate that "
            "is not trusted in containers.",
            "Set Mlops.ca_bundle in Jupyter's configuration to the file of certificates that "
            "your site uses.",
        )
    if _DENIED.search(text):
        setting = _SETTINGS[source]
        return BuildFailedError(
            f"The build failed in the step {step}: {source.lower()}{host} refused the request.",
            f"Check user and password in Mlops.{setting}, or the proxy's.",
        )
    broken = _SERVER_ERROR.search(text)
    if broken:
        return BuildFailedError(
            f"The build failed in the step {step}: {source.lower()}{host} answered with an error "
            f"of its own ({broken[1] or broken[2]}).",
            "Build again later, or tell who runs it.",
        )
    if _NO_NETWORK.search(text) and re.search(r"error|Err:|E:", text):
        return BuildFailedError(
            f"The build failed in the step {step}: {source.lower()}{host} does not answer.",
            "Check the network of this machine, and Mlops.index_url, Mlops.apt_mirror and "
            "Mlops.proxies in Jupyter's configuration.",
        )
    return None


_SETTINGS = {
    "The distribution's mirror": "apt_mirror",
    "The CRAN mirror": "cran_mirror",
    "The package index": "index_url",
}


def _source(step: str, text: str) -> str:
    """What was asked. The phase r asks two."""
    if step == "apt" or (step == "r" and re.search(r"^(?:E|W|Err:\d+)[: ]", text, re.M)):
        return "The distribution's mirror"
    return "The CRAN mirror" if step == "r" else "The package index"
