"""A package's container as SageMaker would run it, and how the checks speak to it."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from ...core.environment import Resources
from ...core.errors import EngineError, InvalidError
from ...core.layout import ENV_PREFIX, LABEL_KIND, LABEL_OWNER, MODEL_DIR
from ...core.ports import ContainerSpec, Engine, Mount, State
from ..assembling import GUEST
from ..temporary_containers import remove_temporary, temporary_name

TMP = "exec,mode=1777,size=1g"
SETTLES = 5.0


@dataclass(frozen=True)
class Answer:
    """What one request got. ``status`` is 0 where no answer came; ``error`` says why."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""
    size: int = 0
    """Bytes that came; ``body`` has the first of them."""

    @property
    def said(self) -> str:
        """The answer's text in a line, its ``error`` where it is one of ours."""
        text = self.error or self.body.decode("utf-8", "replace").strip()
        with contextlib.suppress(ValueError, KeyError, TypeError):
            text = str(json.loads(text)["error"])
        return " ".join(text.split())[:300]

    @property
    def shown(self) -> str:
        """``500: ValueError: …``, or why there is no answer."""
        return f"{self.status}: {self.said}" if self.status else f"no answer: {self.said}"


def answer_of(found: Mapping[str, Any]) -> Answer:
    return Answer(
        status=int(found.get("status") or 0),
        body=base64.b64decode(found.get("body", "")),
        headers=dict(found.get("headers") or {}),
        seconds=float(found.get("waited") or found.get("seconds") or 0.0),
        error=str(found.get("error") or ""),
        size=int(found.get("size") or 0),
    )


@dataclass(frozen=True)
class Running:
    """The container of one check."""

    engine: Engine
    id: str
    refused: str = ""
    """Why the engine could not start it; empty when it did."""

    async def call(self, what: str, **arguments: Any) -> Any:
        """Run one function of ``guest/caller.py`` in the container; None when it died meanwhile.

        A process inside, because the container has no network; the port it speaks to is the one
        that SageMaker uses, and this works on every engine, remote ones too.
        """
        script = (GUEST / "caller.py").read_text()
        script += f"\nrun({what!r}, json.loads({json.dumps(arguments)!r}))\n"
        try:
            code, stdout = await self.engine.exec(
                self.id, [f"{ENV_PREFIX}/bin/python", "-I", "-"], stdin=script.encode()
            )
        except Exception:
            # A process in a container that ends just then fails in ways of each engine's own.
            if (await self.state()).phase == "running":
                raise
            return None
        if code != 0:
            return None
        return json.loads(stdout.strip().rpartition("\n")[2])

    async def requests(self, plan: Sequence[Mapping[str, Any]]) -> list[Answer]:
        found = await self.call("requests", plan=list(plan))
        if found is None:
            return [Answer(0, error="the container ended") for _ in plan]
        return [answer_of(entry) for entry in found]

    async def ended(self) -> State:
        """Its state once it has ended; of one that goes on, after ``SETTLES`` seconds.

        The engine may take a moment to notice what a process inside saw at once.
        """
        with anyio.move_on_after(SETTLES):
            await self.engine.wait(self.id)
        return await self.state()

    async def state(self) -> State:
        return await self.engine.inspect(self.id) or State("exited")

    async def log(self, lines: int = 15) -> str:
        """The last lines that the container wrote, ours in their short form."""
        text = await self.engine.logs(self.id, tail=200)
        return "\n".join(readable(line) for line in text.strip().splitlines()[-lines:])

    async def whole_log(self) -> str:
        return await self.engine.logs(self.id, tail=5000)


def readable(line: str) -> str:
    """One line of a log: of the serving layer's JSON, what happened and why."""
    try:
        entry = json.loads(line)
        text = f"{entry['event']}: {entry.get('message', '')}".rstrip(": ")
    except (ValueError, KeyError, TypeError):
        return line
    trace = entry.get("traceback")
    return f"{text}\n{trace.rstrip()}" if trace else text


@asynccontextmanager
async def container(
    engine: Engine, image: str, model: Path, memory: int, owner: str
) -> AsyncIterator[Running]:
    """Create and start it; it is removed at the end, whatever happens. An image that cannot be
    started is said in ``Running.refused``.

    The root is read-only and all capabilities are gone: stricter than SageMaker's real-time
    hosts, as strict as its serverless ones.
    """
    name = temporary_name("check")
    spec = ContainerSpec(
        image=image,
        name=name,
        labels={LABEL_KIND: "check", LABEL_OWNER: owner},
        command=("serve",),
        mounts=(Mount(str(model), MODEL_DIR, read_only=True),),
        tmpfs={"/tmp": TMP},
        network="none",
        resources=Resources(cpus=2, memory=memory),
        read_only=True,
    )
    try:
        created, refused = name, ""
        try:
            created = await engine.create(spec)
            await engine.start(created)
        except (EngineError, InvalidError) as error:
            # Its entry point is no program of the image, for instance: a finding as any other.
            refused = error.message
        yield Running(engine, created, refused)
    finally:
        await remove_temporary(engine, name)
