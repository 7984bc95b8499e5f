"""Runs a Jupyter kernel in a container; the life cycle is jupyter_client's.

What its callers do, and what therefore must hold here (jupyter_client 8):

- ``kill`` and ``terminate`` are told the wrong ``restart`` in some restarts: they only ever end
  the kernel's process. ``cleanup(restart=False)`` alone means the end.
- Signals are sent to kernels that are dead already, in every automatic restart: no error.
- ``has_process`` stays true after a crash, until ``wait``.
- Calls come from several event loops. What must live longer than a call is kept in plain
  attributes and in the supervisor connection, which has a thread of its own.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from abc import abstractmethod
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Dict, Integer, List, Unicode

from ..core.environment import Resources
from ..core.errors import KernelDeadError, MlopsError
from ..core.kernel import KernelEvent, KernelRecord, SecretRequest
from ..core.limits import KernelLimits, Limits, in_force
from ..core.settings import Settings
from . import endings
from .container import HOME, user_name
from .control import Event, Supervisor
from .encryption import new_curve
from .endpoint import Endpoint
from .parts import ProvisionerParts
from .reaching import RECONNECT_MS, reachable
from .secret_values import Secrets
from .starting import Plan
from .transports import Curve
from .variables import kernel_environment, notebook_path
from .workspace import Workspace, workspace

GONE = 255
"""Exit code of a kernel whose container went away: its own will never be known."""

_MANAGER_SECONDS = 0.1


class ContainerProvisioner(KernelProvisionerBase):
    """One kernel, one container. The traits are the ``config`` of the kernel spec."""

    environment = Unicode()
    revision = Integer()
    snapshot = Unicode()
    image = Unicode(help="Image id.")
    network = Unicode("outbound")
    variables = Dict()
    secrets = List(Unicode(), help="Names of variables whose values the server's settings know.")
    resources = Dict(help="Fields of core.environment.Resources.")
    limits = Dict(help="Fields of core.limits.Limits: of this run alone, stronger than any other.")
    given = Dict(help="Values of secrets by name, of this run alone.")
    home = Unicode(help="A folder to be HOME; default: one of its own for each environment.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # The base's is a class attribute: all kernels would share one dictionary.
        self.connection_info = {}
        self.parts = self.make_parts()
        self.last_event: KernelEvent | None = None
        """The newest thing that went wrong with this kernel."""
        self.endpoint = Endpoint(self.parts.settings.runtime, str(self.kernel_id))
        self.record: KernelRecord | None = None
        self._supervisor: Supervisor | None = None
        self._workspace: Workspace | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[Any] = set()
        self._limits: KernelLimits | None = None
        """In force for this kernel from its first container on, also for one made anew: a change
        is for the next kernel, and never surprises a running one."""
        self._notebook = ""
        self._curve: Curve | None = None
        """The kernel's for all its life: clients keep the public key over restarts."""
        self._secrets = Secrets(self.secrets, self.parts.settings.secrets, self.given)
        self._run = 0
        self._exits: dict[int, int] = {}
        """Exit code by run, written by the supervisor's thread."""
        self._has_process = False
        self._expected = False
        """The process of this run was told to end."""
        self._asked = False
        """A user's shutdown or restart led here, not an automatic one."""

    @abstractmethod
    def make_parts(self) -> ProvisionerParts:
        """Where adapters and services are joined."""

    def _home(self, settings: Settings) -> Path:
        home = Path(self.home or settings.data / "homes" / (self.snapshot or self.environment))
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home

    # ------------------------------------------------------------------------ process

    @property
    def has_process(self) -> bool:
        return self._has_process

    async def poll(self) -> int | None:
        return self._exits.get(self._run) if self._has_process else 0

    async def wait(self) -> int | None:
        # No asyncio.Event: the one who sets it and the one who waits may be on different loops.
        while (code := await self.poll()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        self._has_process = False
        return code

    async def send_signal(self, signum: int) -> None:
        if self._supervisor is None or self._exits.get(self._run) is not None:
            return
        try:
            await self._supervisor.request("signal", timeout=5.0, signal=int(signum))
        except KernelDeadError as error:
            self.log.debug("Signal %s did not reach kernel %s: %s", signum, self.kernel_id, error)

    async def kill(self, restart: bool = False) -> None:
        self._expected = True
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        self._expected = True
        await self.send_signal(signal.SIGTERM)

    async def shutdown_requested(self, restart: bool = False) -> None:
        self._expected = self._asked = True
        # The manager looks at once, and then every 100 ms; most kernels end within 50.
        deadline = time.monotonic() + _MANAGER_SECONDS
        while await self.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    # ------------------------------------------------------------------------- launch

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        kwargs = await super().pre_launch(**kwargs)
        limits = await self._in_force(kwargs["env"])
        kwargs["env"] = kernel_environment(
            kwargs["env"],
            spec_names=self.kernel_spec.env,
            public=self.variables,
            network=None if limits.network == "none" else self.parts.settings.network,
            home=HOME,
            user=user_name(),
        )
        # Not km.format_kernel_cmd: it puts this machine's Python and paths in.
        kwargs["cmd"] = [*self.kernel_spec.argv, *kwargs.pop("extra_arguments", [])]
        return kwargs

    async def _in_force(self, server: Mapping[str, str]) -> KernelLimits:
        if self._limits is None:
            settings = self.parts.settings
            self._notebook = notebook_path(server, self._server_root())
            chosen = await self.parts.store.limits.get(self._notebook) if self._notebook else None
            self._limits = in_force(
                KernelLimits(Resources(**self.resources), self.network),
                chosen.limits if chosen else Limits(),
                Limits(**self.limits),
                ceiling=settings.max_resources,
            )
        return self._limits

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Raises domain errors, whose text Jupyter shows; nothing is left behind then."""
        again = self.record is not None
        self._loop = asyncio.get_running_loop()
        self._run += 1
        self._expected = False
        try:
            await self._launch(cmd, Path(kwargs.get("cwd") or Path.cwd()), kwargs["env"])
        except BaseException as error:
            # A kernel that was there before keeps its container, and what is installed in it.
            if not again:
                if isinstance(error, KernelDeadError) and self.record is not None:
                    await self._last_words(self.record.container)
                await self._discard()
            if not again or self._asked or not isinstance(error, MlopsError):
                raise
            # Jupyter's restarter stops for ever at an exception and shows "restarting". A kernel
            # that died at once is tried again, and then said to be dead.
            self.log.error("Kernel %s cannot be restarted: %s", self.kernel_id, error)
            self._exits[self._run] = GONE
        finally:
            self._asked = False
        self._has_process = True
        session = self._manager.session
        info: Any = self.endpoint.connection(session.key, session.signature_scheme, self._curve)
        self.connection_info = info
        return info

    async def _launch(self, cmd: list[str], cwd: Path, environment: dict[str, str]) -> None:
        # Not in pre_launch: what that returns is kept for restarts, and is no place for them.
        # A notebook that the server runs by itself, as for a build, has nobody before it.
        asking = self.parts.ask is not None and self._server_root() is not None
        values = await self._secrets.values(self._ask if asking else None)
        file = self.endpoint.connection_file_inside
        argv = [word.replace("{connection_file}", file) for word in cmd]
        if self._supervisor is None or not self._supervisor.alive:
            await self._make_container(cwd, argv, environment)
        assert self._supervisor is not None and self._workspace is not None
        clients_wait = self._run > 1
        self.endpoint.transport.unbind()
        await self._encrypt()
        # Of the clients in this process, that is those of a server.
        self._manager.context.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        session = self._manager.session
        connection = self.endpoint.connection_inside(
            session.key, session.signature_scheme, self._manager.kernel_name, self._curve
        )
        await self._supervisor.request(
            "start",
            run=self._run,
            argv=argv,
            environment=environment,
            private=values,
            cwd=str(self._workspace.project),
            files={file: json.dumps(connection)},
        )
        await reachable(
            self.endpoint.transport,
            self._supervisor,
            lambda: self._run in self._exits,
            clients=clients_wait,
            foreign=self._server_root() is None,
        )

    async def _encrypt(self) -> None:
        if self._curve is not None or not self.endpoint.transport.encrypts:
            return
        assert self._supervisor is not None
        self._curve = await new_curve(self._supervisor, self.kernel_spec.language)
        if self._curve is None:
            self.log.warning(
                "Messages of kernel %s are not encrypted: other users of this machine could read "
                "its output. That needs ipykernel 7.3 in the environment, and jupyter_client 8.9 "
                "here.",
                self.kernel_id,
            )

    async def _ask(self, names: tuple[str, ...]) -> dict[str, str]:
        assert self.parts.ask is not None
        return await self.parts.ask(
            SecretRequest(str(self.kernel_id), self.environment, self._notebook, names)
        )

    async def _make_container(
        self, cwd: Path, argv: list[str], environment: dict[str, str]
    ) -> None:
        """``argv`` and ``environment`` are the first kernel's."""
        started = time.monotonic()
        settings, store = self.parts.settings, self.parts.store
        limits = self._limits
        assert limits is not None  # Since pre_launch.
        self._workspace = workspace(cwd, self._server_root())
        home = self._home(settings)
        plan = Plan(
            image=self.image,
            environment=self.environment,
            revision=self.revision,
            snapshot=self.snapshot,
            limits=limits,
            variables=self.variables,
            workspace=self._workspace,
            home=home,
            argv=tuple(argv),
            process=environment,
        )
        again = self.record
        record = replace(
            plan.record(str(self.kernel_id), self.endpoint, settings.owner),
            language=self.kernel_spec.language,
            notebook=self._notebook,
            server=str(self._server_root() or ""),
        )
        taken = None
        if again is None:
            taken = await self.parts.pool.take(plan, record, self.endpoint, self._heard)
        if taken is not None:
            self.record, self._supervisor = taken
        else:
            # Before the container: a crash between the two must leave a trace, not an orphan.
            self.record = record
            await store.kernels.save(record)
            if again is not None:
                await (await self.parts.engines.engine()).remove(again.container)
            containers = self.parts.containers
            container = await containers.start(plan, self.endpoint, record.id)
            self.record = replace(record, container=container)
            await store.kernels.save(self.record)
            self._supervisor = await containers.connect(container, self.endpoint, self._heard)
        if self._server_root() is not None:
            self.parts.pool.used(plan)
        self.log.debug(
            "Container of kernel %s up in %.2f s", self.kernel_id, time.monotonic() - started
        )

    @property
    def _manager(self) -> Any:
        """The KernelManager."""
        return self.parent

    def _server_root(self) -> Path | None:
        """The folder a Jupyter server serves; None where there is no server."""
        root = getattr(getattr(self.parent, "parent", None), "root_dir", "")
        return Path(root) if root else None

    # ------------------------------------------------------------------------- events

    def _heard(self, event: Event) -> None:
        """On the supervisor's thread."""
        limit = self.record.limits.resources.memory if self.record else 0
        found: KernelEvent | None = None
        if event["event"] == "exit":
            self._exits[event["run"]] = event["code"]
            if event["run"] == self._run and not self._expected:
                found = endings.ended(str(self.kernel_id), event["code"], event["oom_kills"], limit)
        elif event["event"] == "oom":
            found = endings.child_ended(str(self.kernel_id), limit)
        elif event["event"] == "gone":
            self._exits.setdefault(self._run, GONE)
            if self.record is not None and not self._expected:
                self._on_loop(self._find_out(self.record.container, limit))
        if found is not None:
            self.last_event = found
            self._on_loop(self._tell(found))

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        if self._loop is None or self._loop.is_closed():
            work.close()
            return
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._tasks.add(future)
        future.add_done_callback(self._tasks.discard)

    async def _find_out(self, container: str, limit: int) -> None:
        event = await endings.container_gone(
            str(self.kernel_id), container, self.parts.engines, limit
        )
        self.last_event = event
        await self._tell(event)

    async def _tell(self, event: KernelEvent) -> None:
        self.log.warning("Kernel %s: %s %s", event.kernel_id, event.message, event.hint)
        if hasattr(self._manager, "reason"):
            # JupyterLab shows it when the kernel is dead for good.
            self._manager.reason = event.message
        if self.parts.on_event is not None:
            self.parts.on_event(event)

    # ------------------------------------------------------------------------ the end

    async def cleanup(self, restart: bool = False) -> None:
        if not restart:
            self._expected = True
            await self._discard()

    async def _last_words(self, container: str) -> None:
        """What a container has printed whose kernel did not start, into the log."""
        with suppress(MlopsError):
            said = await (await self.parts.engines.engine()).logs(container, 20)
            self.log.warning("Container of kernel %s: %s", self.kernel_id, said.strip() or "silent")

    async def _discard(self) -> None:
        """Container, record and sockets; any of them may be gone already."""
        supervisor, self._supervisor = self._supervisor, None
        record, self.record = self.record, None
        self._exits.setdefault(self._run, GONE)
        if supervisor is not None:
            supervisor.close()
        self.endpoint.remove()
        if record is not None:
            try:
                await (await self.parts.engines.engine()).remove(record.container)
            except MlopsError as error:
                # The record stays, so that the container is found when the engine is back.
                self.log.warning("Container of kernel %s is left: %s", self.kernel_id, error)
            else:
                await self.parts.store.kernels.delete(record.id)

    def resolve_path(self, path: str) -> str | None:
        """A path that the kernel speaks of, on this machine; None when it is not here."""
        if self._workspace is None or self.record is None:
            return None
        return self._workspace.resolve(path, Path(self.record.home), HOME)
