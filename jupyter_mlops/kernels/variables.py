"""The environment of a kernel's process: an allow-list, never the server's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from ..core.container_network import process_environment
from ..core.layout import ENV_PREFIX, PATH
from ..core.settings import NetworkSettings

_PASSED = frozenset({"JPY_SESSION_NAME", "TZ", "TERM", "COLORTERM"})
"""Jupyter's own name of the notebook, and what only changes how text looks."""


def notebook_path(server: Mapping[str, str], root: Path | None) -> str:
    """The absolute path of the notebook that a kernel is started for; empty where it is not said.

    ``root`` is what a Jupyter server serves: it may say paths below it.
    """
    name = server.get("JPY_SESSION_NAME", "")
    path = Path(root or "", name)
    # As the REST interface has it, which follows links.
    return str(path.resolve()) if name and path.is_absolute() else ""


def passed_names(spec_names: Collection[str]) -> list[str]:
    """What of the server's environment a kernel may have; no credentials are among it."""
    return sorted({*spec_names, *_PASSED})


def kernel_environment(
    server: Mapping[str, str],
    *,
    spec_names: Collection[str],
    public: Mapping[str, str],
    network: NetworkSettings | None,
    home: str,
    user: str,
) -> dict[str, str]:
    """What a kernel gets of ``server``, the variables that Jupyter would give to a local one.

    ``spec_names`` are set by the kernel spec itself. ``network`` is None for a kernel that may
    reach nothing: then credentials of package indexes are none of its business.
    """
    passed = {name: server[name] for name in passed_names(spec_names) if name in server}
    return {
        "TERM": "xterm-color",
        # The only UTF-8 locale that every image has; the server's may be missing there.
        "LANG": "C.UTF-8",
        **passed,
        **(process_environment(network) if network else {}),
        **public,
        "PATH": PATH,
        "VIRTUAL_ENV": ENV_PREFIX,
        "HOME": home,
        "USER": user,
        "LOGNAME": user,
    }
