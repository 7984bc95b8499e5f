"""The traits an admin sets, in ``jupyter_server_config.py`` or ``jupyter_mlops_config.py``."""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_core.paths import jupyter_data_dir
from traitlets import Bool, Dict, Enum, Integer, List, Unicode, default
from traitlets.config import Configurable

if TYPE_CHECKING:
    from .core.settings import Settings


class Mlops(Configurable):
    """Settings of jupyter-mlops, for the server extension, the kernels and the command line."""

    data_dir = Unicode(
        help="Where environments, snapshots, logs and the home folders of kernels are kept."
    ).tag(config=True)
    runtime_dir = Unicode(
        help="Where kernel sockets are made. Keep it short: a socket's path has 107 bytes."
    ).tag(config=True)
    owner = Unicode(
        help="Whose containers these are. The Hub user under JupyterHub, else the login name."
    ).tag(config=True)
    engine = Enum(["auto", "docker", "podman"], "auto", help="The container engine to use.").tag(
        config=True
    )
    engine_url = Unicode(
        "", help="The engine's socket (unix:///…), where it is not at its usual place."
    ).tag(config=True)
    kernel_transport = Enum(
        ["auto", "ipc", "tcp"],
        "auto",
        help="How kernels are reached: over Unix sockets (ipc), or over ports of 127.0.0.1 (tcp), "
        "encrypted. auto: TCP where the engine does not share Unix sockets with this machine.",
    ).tag(config=True)
    index_url = Unicode(
        help="The Python package index of builds and kernels. Default: what pip uses here."
    ).tag(config=True)
    extra_index_urls = List(Unicode(), help="Further Python package indexes.").tag(config=True)
    ca_bundle = Unicode(
        help="A file of PEM certificates that builds, kernels and our own clients trust. "
        "Default: SSL_CERT_FILE, REQUESTS_CA_BUNDLE, or what pip uses here."
    ).tag(config=True)
    proxies = Dict(
        Unicode(), help="http_proxy, https_proxy and no_proxy. Default: this server's."
    ).tag(config=True)
    apt_mirror = Unicode(
        "",
        help="Debian mirror of builds and base images, with user and password if it asks for them; "
        "security updates are looked for beside it. Default: of base images this machine's own, of "
        "builds the base image's.",
    ).tag(config=True)
    cran_mirror = Unicode(
        "", help="CRAN mirror of builds and kernels, for packages of R. Default: CRAN's own."
    ).tag(config=True)
    project = Unicode(
        "", help="Where snapshots are published by default: registry.example.com/team/project."
    ).tag(config=True)
    insecure_registries = List(
        Unicode(), help="Registries (host:port) that speak plain HTTP; loopback always may."
    ).tag(config=True)
    registry_credentials = Dict(
        help="Host to [user, password]. Default: Docker's own config and credential helpers."
    ).tag(config=True)
    secrets = Dict(
        Unicode(),
        help="Where the values of secrets are that environments name: 'env:NAME', a variable of "
        "this process, or 'file:PATH'. They reach kernels' processes only.",
    ).tag(config=True)
    max_resources = Dict(
        help="The most that any kernel may use: {'memory': '8GiB', 'cpus': 4, 'pids': 4096, "
        "'gpus': 0}. What an environment asks for beyond that is lowered to it."
    ).tag(config=True)
    workspace_cap = Integer(
        200 * 1024**2, help="Bytes of project files that a snapshot takes at most."
    ).tag(config=True)
    concurrent_builds = Integer(
        2, min=1, help="Builds that run at once; further ones wait for their turn."
    ).tag(config=True)
    rebuild_children = Bool(
        True,
        help="Whether environments that start from NAME@active are built anew, and made active if "
        "their smoke notebook passes, when another revision of NAME becomes active.",
    ).tag(config=True)
    keep_kernels = Bool(
        False,
        help="Leave kernels in containers running when the server is stopped in order; the next "
        "server takes them over. After a crash it always does.",
    ).tag(config=True)
    warm_kernels = Integer(
        2,
        min=0,
        help="Containers that the server keeps ready for the next kernel, one for each of the "
        "environments used most recently. 0: none.",
    ).tag(config=True)
    warm_memory = Integer(
        1024**3, min=0, help="Bytes that all of these containers may use together."
    ).tag(config=True)
    targets = Dict(help="Settings of targets by name: {'sagemaker': {'region': 'eu-west-1'}}.").tag(
        config=True
    )

    @default("data_dir")
    def _data_dir(self) -> str:
        return str(Path(jupyter_data_dir()) / "mlops")

    @default("runtime_dir")
    def _runtime_dir(self) -> str:
        # Not jupyter_runtime_dir(): it is long, and socket paths are short.
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return str(Path(base) / f"jmlops-{os.getuid()}")

    @default("owner")
    def _owner(self) -> str:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()

    @default("index_url")
    def _index_url(self) -> str:
        return _pip_setting("index-url", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")

    @default("extra_index_urls")
    def _extra_index_urls(self) -> list[str]:
        # Folders of this machine are not in a container.
        urls = _pip_setting("extra-index-url", "PIP_EXTRA_INDEX_URL").split()
        return [url for url in urls if url.startswith(("http://", "https://"))]

    @default("ca_bundle")
    def _ca_bundle(self) -> str:
        return _pip_setting("cert", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")

    @default("proxies")
    def _proxies(self) -> dict[str, str]:
        found = {}
        for name in ("http_proxy", "https_proxy", "no_proxy"):
            value = os.environ.get(name) or os.environ.get(name.upper())
            if value:
                found[name] = value
        return found

    def settings(self) -> Settings:
        """Plain data for the services."""
        # A server that starts needs none of them.
        from uv import find_uv_bin

        from .core.limits import limits_of
        from .core.settings import NetworkSettings, Settings

        return Settings(
            data=Path(self.data_dir).expanduser(),
            runtime=Path(self.runtime_dir).expanduser(),
            uv=Path(find_uv_bin()),
            owner=self.owner,
            engine=self.engine,
            engine_url=self.engine_url,
            kernel_transport=self.kernel_transport,
            network=NetworkSettings(
                index_url=self.index_url,
                extra_index_urls=tuple(self.extra_index_urls),
                ca_bundle=self.ca_bundle,
                proxies=dict(self.proxies),
                apt_mirror=self.apt_mirror,
                cran_mirror=self.cran_mirror,
            ),
            project=self.project,
            insecure_registries=tuple(self.insecure_registries),
            registry_credentials={
                host: (user, password)
                for host, (user, password) in self.registry_credentials.items()
            },
            secrets=dict(self.secrets),
            max_resources=limits_of(self.max_resources),
            workspace_cap=self.workspace_cap,
            concurrent_builds=self.concurrent_builds,
            rebuild_children=self.rebuild_children,
            warm_kernels=self.warm_kernels,
            warm_memory=self.warm_memory,
            targets={name: dict(value) for name, value in self.targets.items()},
        )


def _pip_setting(key: str, *variables: str) -> str:
    """The first of these environment variables, else what pip's configuration files say."""
    for variable in variables:
        if os.environ.get(variable):
            return os.environ[variable]
    for file in _pip_files():
        value = _ini_value(file, key)
        if value:
            return value
    return ""


def _pip_files() -> list[Path]:
    """pip's configuration files, the strongest first (pip's documentation, "Configuration")."""
    home = Path.home()
    named = os.environ.get("PIP_CONFIG_FILE", "")
    config_home = os.environ.get("XDG_CONFIG_HOME") or home / ".config"
    files = [Path(config_home) / "pip/pip.conf", home / ".pip/pip.conf", Path("/etc/pip.conf")]
    return ([Path(named)] if named else []) + files


def _ini_value(file: Path, key: str) -> str:
    from configparser import ConfigParser, Error

    parser = ConfigParser(interpolation=None)
    try:
        parser.read(file)
    except (Error, UnicodeDecodeError):
        return ""
    for section in ("install", "global"):
        if parser.has_option(section, key):
            return parser.get(section, key)
    return ""
