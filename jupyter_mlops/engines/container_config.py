"""Docker's JSON for a container: how design section 5's safe defaults are written down."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..core.ports import Capabilities, ContainerSpec, Mount, State

_PHASES = {
    "created": "created",
    "configured": "created",
    "initialized": "created",
    "running": "running",
    "stopping": "running",
    "paused": "paused",
}
"""Docker's and Podman's states; all others are ``exited``, also between two restarts."""


@dataclass(frozen=True)
class Host:
    """What a container's configuration depends on, beside its specification."""

    capabilities: Capabilities
    selinux: bool = False
    log_driver: str = ""


def container_config(spec: ContainerSpec, host: Host) -> dict[str, Any]:
    """The body of ``POST /containers/create``.

    Mounts are ``Mounts``, never ``Volumes`` or ``Binds``: those would stay in every image made
    of the container. No WorkingDir and no Init: both leave files in its layer.
    """
    config: dict[str, Any] = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "HostConfig": _host_config(spec, host),
    }
    if spec.command:
        config["Cmd"] = list(spec.command)
    if spec.entrypoint is not None:
        # One empty string is how both engines spell "none"; an empty list is not, for Podman.
        config["Entrypoint"] = list(spec.entrypoint) or [""]
    if spec.user and not host.capabilities.rootless:
        config["User"] = spec.user
    if spec.ports:
        config["ExposedPorts"] = {f"{port}/tcp": {} for port in spec.ports}
    hostname = spec.hostname or (_hostname(spec.name) if spec.network == "none" else "")
    if hostname and spec.network != "host":
        config["Hostname"] = hostname
    if spec.network == "none":
        # Else a process cannot resolve its own name, nor bind ::1, which /etc/hosts promises.
        config["HostConfig"]["ExtraHosts"] = [f"{hostname}:127.0.0.1"]
        if Path("/proc/sys/net/ipv6/conf/lo").exists():
            config["HostConfig"]["Sysctls"] = {"net.ipv6.conf.lo.disable_ipv6": "0"}
    return config


def _host_config(spec: ContainerSpec, host: Host) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Mounts": [_mount(mount) for mount in spec.mounts],
        "Tmpfs": dict(spec.tmpfs),
        "NetworkMode": spec.network,
        "PortBindings": {
            f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(local) if local else ""}]
            for port, local in spec.ports.items()
        },
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.capabilities),
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": spec.read_only,
        "ShmSize": spec.resources.shm,
    }
    if spec.groups and not host.capabilities.rootless:
        config["GroupAdd"] = list(spec.groups)
    if spec.devices:
        config["DeviceRequests"] = [{"Driver": "cdi", "DeviceIDs": list(spec.devices)}]
    if host.selinux:
        # Relabelling a user's own folders would take them from every other program.
        config["SecurityOpt"].append("label=disable")
    if spec.restart:
        config["RestartPolicy"] = {"Name": "unless-stopped"}
    if host.log_driver == "json-file":
        config["LogConfig"] = {
            "Type": "json-file",
            "Config": {"max-size": "10m", "max-file": "2"},
        }
    if host.capabilities.limits:
        config.update(_limits(spec, host))
    return config


def _limits(spec: ContainerSpec, host: Host) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if spec.resources.memory:
        limits["Memory"] = limits["MemorySwap"] = spec.resources.memory
    if spec.resources.cpus:
        # Docker refuses more than it has; more than all is no limit.
        there = host.capabilities.cpus
        cpus = min(spec.resources.cpus, there) if there else spec.resources.cpus
        limits["NanoCpus"] = int(cpus * 1e9)
    if spec.resources.pids:
        limits["PidsLimit"] = spec.resources.pids
    return limits


def _mount(mount: Mount) -> dict[str, Any]:
    return {
        "Type": "bind" if "/" in mount.source else "volume",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }


def _hostname(name: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:63].strip("-") or "container"


def state_of(answer: dict[str, Any]) -> State:
    """A container's state out of ``GET /containers/ID/json``."""
    state = answer["State"]
    phase = _PHASES.get(str(state.get("Status", "")).lower(), "exited")
    ports: dict[int, int] = {}
    for inner, outer in ((answer.get("NetworkSettings") or {}).get("Ports") or {}).items():
        for binding in outer or ():
            if binding.get("HostPort"):
                ports.setdefault(int(inner.partition("/")[0]), int(binding["HostPort"]))
    return State(
        phase=phase,
        exit_code=int(state.get("ExitCode", 0)) if phase == "exited" else None,
        started=timestamp(state.get("StartedAt", "")),
        ports=ports,
    )


def moment(text: str) -> float:
    """The engines' RFC 3339 time in seconds since 1970. Python 3.10 reads neither nanoseconds
    nor Z."""
    match = re.fullmatch(r"([^.Z+]+?)(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        return 0.0
    whole, fraction, zone = match.groups()
    start = datetime.fromisoformat(whole + (zone if zone != "Z" else "+00:00"))
    return start.timestamp() + float(fraction or 0)


def timestamp(text: Any) -> str:
    """The engines' time in UTC, without fractions; empty for "never"."""
    if not text or str(text).startswith("0001-"):
        return ""
    seconds = text if isinstance(text, (int, float)) else moment(text)
    return datetime.fromtimestamp(int(seconds), timezone.utc).isoformat(timespec="seconds")
