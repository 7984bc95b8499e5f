"""How processes inside containers reach package indexes: one place for builds, kernels and probes.

All of it is given to *processes* when they start (exec, supervisor), never to a container's own
configuration: index URLs and proxies may hold credentials, and a container's configuration
survives a freeze.
"""

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit, urlunsplit

from .layout import RUN_DIR
from .ports import Mount
from .settings import NetworkSettings

CA_FILE = f"{RUN_DIR}/ca.crt"
"""Where the certificates are inside containers."""

PYPI = "https://pypi.org/simple"
CRAN = "https://cloud.r-project.org"

_CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
)


def ca_mounts(network: NetworkSettings) -> tuple[Mount, ...]:
    """The certificates as a read-only file at ``CA_FILE``; empty without a bundle.

    The container needs a tmpfs at ``/run``, else an empty placeholder stays in a freeze.
    """
    if not network.ca_bundle:
        return ()
    return (Mount(network.ca_bundle, CA_FILE, read_only=True),)


def process_environment(network: NetworkSettings) -> dict[str, str]:
    """Variables for a process in a container that has ``ca_mounts``. May hold credentials."""
    variables: dict[str, str] = {}
    if network.index_url:
        variables["PIP_INDEX_URL"] = variables["UV_DEFAULT_INDEX"] = network.index_url
    if network.extra_index_urls:
        extra = " ".join(network.extra_index_urls)
        variables["PIP_EXTRA_INDEX_URL"] = variables["UV_EXTRA_INDEX_URL"] = extra
    plain = [url for url in (network.index_url, *network.extra_index_urls) if _is_http(url)]
    if plain:
        # pip ignores such an index unless it is told so; uv takes it as it is configured.
        hosts = (urlsplit(url).netloc.rpartition("@")[2] for url in plain)
        variables["PIP_TRUSTED_HOST"] = " ".join(dict.fromkeys(hosts))
    if network.cran_mirror:
        # The profile of R that a build writes reads it.
        variables["CRAN_MIRROR"] = network.cran_mirror
    if network.ca_bundle:
        variables.update(dict.fromkeys(_CA_VARIABLES, CA_FILE))
    for name, value in network.proxies.items():
        variables[name.lower()] = variables[name.upper()] = value
    return variables


def uv_config(network: NetworkSettings) -> str:
    """The indexes as uv's own configuration file. May hold credentials.

    A file never changes on an index, yet many in-house indexes and proxies forbid keeping what
    they answer: uv would fetch every package again for each build.
    """
    lines = []
    for number, url in enumerate((network.index_url or PYPI, *network.extra_index_urls)):
        lines += [
            "[[index]]",
            f"url = {json.dumps(url)}",
            f"default = {json.dumps(number == 0)}",
            'cache-control = { files = "max-age=365000000, immutable" }',
        ]
    return "\n".join(lines) + "\n"


def _is_http(url: str) -> bool:
    return url.lower().startswith("http://")


def without_credentials(url: str) -> str:
    """The URL as it may be shown or stored: user and password taken out."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def apt_account(network: NetworkSettings) -> str:
    """User and password of the Debian mirror as a line of apt's ``auth.conf``; empty without.

    Never in the sources: those stay in images. It holds for the whole host, since security
    updates are beside the mirror."""
    parts = urlsplit(network.apt_mirror)
    if not parts.username:
        return ""
    host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
    account = (unquote(parts.username), unquote(parts.password or ""))
    if any(part.split() != [part] for part in account):
        return ""  # apt's format has no way to write it, so the mirror will refuse us.
    return f"machine {host} login {account[0]} password {account[1]}\n"


def secrets_of(network: NetworkSettings) -> list[str]:
    """Every user:password and password in the settings, longest first, to mask them in logs."""
    found: set[str] = set()
    urls = (
        *(network.index_url, *network.extra_index_urls),
        *(network.cran_mirror, network.apt_mirror),
    )
    for url in (*urls, *network.proxies.values()):
        parts = urlsplit(url)
        account = parts.netloc.rpartition("@")[0]
        if account:
            found.add(account)
            # A user name alone may be a token; with a password it is no secret.
            secret = account.partition(":")[2]
            if len(secret) >= 4:
                # apt is given it without its percent signs.
                found |= {secret, unquote(secret)}
    return sorted(found, key=len, reverse=True)
