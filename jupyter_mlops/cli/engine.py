"""``jupyter mlops engine``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .commands import Answer, Noun

if TYPE_CHECKING:
    from ..core.ports import Capabilities
    from ..core.settings import Settings
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    noun = Noun(nouns, common, "engine", "the container engine that everything runs on")
    noun.verb("info", "show which engine is used, and what it can do here", info)


async def info(session: Session, args: argparse.Namespace) -> Answer:
    from ..core.layout import LABEL_KIND, LABEL_OWNER

    services = session.services
    engine = await services.engines.engine()
    found = await engine.info()
    labels = {LABEL_KIND: "", LABEL_OWNER: services.settings.owner}
    containers = len(await engine.list(labels))
    data = {"capabilities": found, "containers": containers}

    def show(screen: Any) -> None:
        screen.facts(
            {
                "engine": found.title,
                "socket": found.socket,
                "runs as": "this user (rootless)" if found.rootless else "root",
                "kernels talk over": _transport(found, services.settings),
                "pause": _yes(found.pause),
                "limits": _yes(found.limits),
                "containers of yours": containers,
                "note": found.note,
            }
        )

    return Answer(data, show)


def _transport(found: Capabilities, settings: Settings) -> str:
    if settings.kernel_transport == "auto":
        return "Unix sockets" if found.ipc else "TCP, encrypted"
    return "TCP, encrypted" if settings.kernel_transport == "tcp" else "Unix sockets"


def _yes(can: bool) -> str:
    return "yes" if can else "not here"
