"""Which Debian mirror a base image is made from, and will itself use."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..core.errors import BuildFailedError

DEFAULT_MIRROR = "http://deb.debian.org/debian"
DEFAULT_SECURITY = "http://deb.debian.org/debian-security"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SECONDS = 20.0


@dataclass(frozen=True)
class Mirrors:
    main: str
    security: str


@dataclass(frozen=True)
class Sources:
    """apt's lines for one suite."""

    lines: tuple[str, ...]
    date: int
    """When the suite was last changed on the mirror, in seconds since 1970; 0 if not told."""


def mirrors(configured: str, etc: Path = Path("/etc")) -> Mirrors:
    """The configured mirror, else this machine's own if it runs Debian, else Debian's."""
    if configured:
        main = configured.rstrip("/")
        return Mirrors(main, f"{main.removesuffix('/debian')}/debian-security")
    main, security = "", ""
    for uri, suite, components in _entries(etc / "apt"):
        path = urlsplit(uri).path.rstrip("/")
        if "main" not in components:
            continue
        if path.endswith("debian-security") or suite.endswith("-security"):
            security = security or uri
        elif path.endswith("/debian") and "-" not in suite:
            main = main or uri
    if not main:
        return Mirrors(DEFAULT_MIRROR, DEFAULT_SECURITY)
    return Mirrors(main, security or f"{main.removesuffix('/debian')}/debian-security")


def sources(
    suite: str,
    found: Mirrors,
    proxies: Mapping[str, str],
    ca_bundle: str,
    account: str = "",
) -> Sources:
    """Ask the mirror which parts of the suite it has. Blocking. ``account`` is the mirror's URL
    with user and password, where it asks for them.

    Raises BuildFailedError when it does not answer, or does not have the suite. Updates and
    security updates are used where the mirror has them.
    """
    opener = _opener(proxies, ca_bundle, account)
    release = _release(opener, found.main, suite)
    lines = [f"deb {found.main} {suite} main"]
    for mirror, part in ((found.main, f"{suite}-updates"), (found.security, f"{suite}-security")):
        try:
            _release(opener, mirror, part)
        except BuildFailedError:
            continue
        lines.append(f"deb {mirror} {part} main")
    date = re.search(r"^Date: (.+)$", release, re.M)
    return Sources(
        tuple(lines), int(parsedate_to_datetime(date.group(1)).timestamp()) if date else 0
    )


def _opener(
    proxies: Mapping[str, str], ca_bundle: str, account: str
) -> urllib.request.OpenerDirector:
    import ssl

    context = ssl.create_default_context(cafile=ca_bundle or None)
    named = {
        name.removesuffix("_proxy"): url for name, url in proxies.items() if name != "no_proxy"
    }
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if named:
        handlers.append(urllib.request.ProxyHandler(named))
    parts = urlsplit(account)
    if parts.username:
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        user, password = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, host, user, password, is_authenticated=True)
        handlers.append(urllib.request.HTTPBasicAuthHandler(passwords))
    return urllib.request.build_opener(*handlers)


def _release(opener: urllib.request.OpenerDirector, mirror: str, suite: str) -> str:
    """The head of the suite's release file."""
    url = f"{mirror}/dists/{suite}/InRelease"
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            head: bytes = answer.read(4096)
            return head.decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise BuildFailedError(
                f"The Debian mirror {mirror} refused the request (it answered {error.code}).",
                "Check user and password in Mlops.apt_mirror.",
            ) from error
        raise BuildFailedError(
            f"The mirror {mirror} has no Debian release {suite} (it answered {error.code}).",
            "Choose another suite, such as bookworm, or set apt_mirror to a mirror that has it.",
        ) from error
    except (OSError, ValueError) as error:
        raise BuildFailedError(
            f"The Debian mirror {mirror} does not answer.",
            "Check the network, or set apt_mirror (or the proxies) to what this site uses.",
        ) from error


def _entries(apt: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(URI, suite, components) of every binary source of this machine."""
    lists = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    for file in lists:
        for line in _text(file).splitlines():
            match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
            if match:
                yield match.group(1).rstrip("/"), match.group(2), match.group(3).split()
    for file in sorted((apt / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", _text(file)):
            fields = _deb822(stanza)
            if "deb" not in fields.get("types", "").split() or fields.get("enabled") == "no":
                continue
            for uri in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split():
                    yield uri.rstrip("/"), suite, fields.get("components", "").split()


def _deb822(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and key:
            fields[key] += " " + line.strip()
        elif ":" in line:
            key, _, value = line.partition(":")
            key = key.strip().lower()
            fields[key] = value.strip()
    return fields


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def keyring() -> Path | None:
    """Debian's keys, where the distribution of this machine is another one."""
    return _KEYRING if _KEYRING.exists() else None
