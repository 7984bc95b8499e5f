"""What docker-py raises, turned into the errors users meet. The only place that does so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from docker.errors import APIError, DockerException, NotFound

from ..core.errors import (
    BaseMissingError,
    ConflictError,
    DiskFullError,
    EngineError,
    EngineUnavailableError,
    InvalidError,
    KernelDeadError,
    MlopsError,
    NotFoundError,
    RegistryDeniedError,
    RegistryError,
    RegistryUnavailableError,
    UnsupportedError,
)

# Docker, Podman and containers/storage word these differently; every alternative was seen.
_DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.I)
_NOT_RUNNING = re.compile(
    r"is not running|not in running state|can only (create exec|kill|pause|stop)|"
    r"container state improper|is not paused|cannot exec in a stopped|is stopped|"
    r"container .* is paused|no such container",
    re.I,
)
_TAKEN = re.compile(r"already in use|image used by|image is in use", re.I)
_MISSING = re.compile(
    r"manifest unknown|manifest for .* not found|name unknown|repository does not exist|"
    r"no such image|repository name not known|manifest .*not found|tag does not exist|"
    r"does not exist locally",
    re.I,
)
_DENIED = re.compile(
    r"unauthorized|authentication required|denied|no basic auth credentials|forbidden|"
    r"incorrect username or password|invalid username/password|status 401|status 403|"
    r"status code 401|status code 403",
    re.I,
)
_PLAIN_HTTP = re.compile(r"server gave HTTP response to HTTPS client", re.I)
_UNTRUSTED = re.compile(r"x509|certificate", re.I)
_UNREACHABLE = re.compile(
    r"connection refused|no such host|i/o timeout|timeout|network is unreachable|"
    r"no route to host|connection reset|dial tcp|\bEOF\b|server misbehaving|"
    r"status 50\d|service unavailable|bad gateway|temporary failure in name resolution",
    re.I,
)

GONE = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.Timeout,
    urllib3.exceptions.HTTPError,
    OSError,
)
"""How a lost connection shows. ``requests``' own errors are OSErrors too, so APIError, which is
one of them, has to be looked at first."""


@contextmanager
def translated(title: str) -> Iterator[None]:
    """Raise domain errors only. ``title`` names the engine: ``Docker``."""
    try:
        yield
    except (DockerException, *GONE) as error:
        raise from_engine(title, error) from error


def from_engine(title: str, error: Exception) -> MlopsError:
    """The domain error for what a call of the engine raised."""
    if isinstance(error, APIError):
        return _from_answer(title, error)
    if isinstance(error, ValueError):
        return EngineError(f"{title} gave an answer that cannot be understood.")
    if isinstance(error, GONE) or "Error while fetching server API version" in str(error):
        return unavailable(title, error)
    return EngineError(f"{title} could not be used: {one_line(str(error))}")


def unavailable(title: str, error: BaseException | None = None) -> EngineUnavailableError:
    """The engine does not answer, or does not let us in."""
    if "Permission denied" in _chain(error):
        return EngineUnavailableError(
            f"{title} runs, but this user may not use it.",
            "Join its group with `sudo usermod -aG docker $USER`, then log in again.",
        )
    return EngineUnavailableError(
        f"{title} does not answer, or stopped in the middle of the work.",
        "Start it again, then repeat what you did.",
    )


def permission_denied(error: BaseException | None) -> bool:
    return "Permission denied" in _chain(error)


def _chain(error: BaseException | None) -> str:
    texts: list[str] = []
    while error is not None and len(texts) < 8:
        texts.append(str(error))
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def explanation(error: APIError) -> str:
    """The engine's own words, on one line."""
    return one_line(str(error.explanation or error))


def one_line(text: str) -> str:
    return " ".join(text.split())[:500] or "no reason was given"


def _from_answer(title: str, error: APIError) -> MlopsError:
    said = explanation(error)
    if _DISK_FULL.search(said):
        return disk_full(title)
    if isinstance(error, NotFound):
        return NotFoundError(f"{title}: {said}")
    if _NOT_RUNNING.search(said):
        return KernelDeadError(
            f"The container does not run any more ({title}: {said}).", "Start the kernel again."
        )
    if error.status_code == 409 or _TAKEN.search(said):
        return ConflictError(f"{title}: {said}")
    if error.status_code == 400:
        return InvalidError(f"{title} does not accept this: {said}")
    if error.status_code == 501 or "not supported" in said:
        return UnsupportedError(f"{title} cannot do this here: {said}")
    return EngineError(f"{title}: {said}")


def disk_full(title: str) -> DiskFullError:
    return DiskFullError(
        f"The disk on which {title} keeps images and containers is full.",
        "Delete environments, snapshots or images that nobody needs, then try again.",
    )


def from_registry(title: str, ref: str, said: str, *, pushing: bool) -> MlopsError:
    """The domain error for what an engine reports about a push or pull of ``ref``."""
    host = ref.partition("/")[0]
    said = one_line(said)
    if _DISK_FULL.search(said):
        return disk_full(title)
    if _MISSING.search(said) and not pushing:
        return BaseMissingError(
            f"The image {ref} is not in its registry, or not visible to you.",
            "Check its name and tag, and whether the registry wants you to log in.",
        )
    if _DENIED.search(said):
        right = "write to" if pushing else "read from"
        return RegistryDeniedError(
            f"The registry does not let you {right} {ref}.",
            f"Log in with `docker login {host}`, or ask its owner for the right to do this.",
        )
    if _PLAIN_HTTP.search(said):
        return RegistryUnavailableError(
            f"The registry {host} speaks plain HTTP, which {title} does not allow for it.",
            f"Add {host} to the engine's insecure registries, or give the registry a certificate.",
        )
    if _UNTRUSTED.search(said):
        return RegistryUnavailableError(
            f"{title} does not trust the certificate of the registry {host}.",
            f"Install the certificate authority for {host} on the engine's machine.",
        )
    if _UNREACHABLE.search(said):
        return RegistryUnavailableError(
            f"The registry of {ref} does not answer.",
            "Check its address, and whether it runs and is reachable from this machine.",
        )
    return RegistryError(f"The registry refused {ref}: {said}")
