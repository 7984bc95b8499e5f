"""A kernel changes hands: one Jupyter server leaves it behind, the next one takes it over."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.provisioning.factory import KernelProvisionerFactory

from ..core.errors import KernelDeadError
from ..core.handover import Launch, Use
from ..core.kernel import KernelRecord
from ..core.ports import Mount
from .control import Supervisor
from .provisioner import ContainerProvisioner
from .transports import Curve
from .variables import passed_names
from .workspace import Workspace

_ANSWER_SECONDS = 5.0
"""For a supervisor; one that is not paused answers in a millisecond."""
_CONTROL_SECONDS = 3.0
"""For a kernel on its control channel, where a busy one answers as well."""
_IDLE_SECONDS = 1.0
"""A kernel that does not answer on its shell channel within this is busy."""

_WELCOME_SECONDS = 1.0


class AdoptableProvisioner(ContainerProvisioner):
    """Writes down what the next server needs, and continues where another process stopped."""

    _launch_written: Launch | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        info = await super().launch_kernel(cmd, **kwargs)
        self._write_launch(str(kwargs.get("cwd") or Path.cwd()), kwargs["env"], cmd)
        return info

    def _write_launch(self, cwd: str, environment: dict[str, str], cmd: list[str]) -> None:
        if self.record is None or not self.record.server:
            return
        names = passed_names(self.kernel_spec.env)
        self._launch_written = Launch(
            kernel_name=self._manager.kernel_name,
            key=self._manager.session.key.decode(),
            signature_scheme=self._manager.session.signature_scheme,
            cwd=cwd,
            environment={name: environment[name] for name in names if name in environment},
            arguments=tuple(cmd[len(self.kernel_spec.argv) :]),
            server=self.record.server,
            pid=os.getpid(),
            **(self._curve.fields() if self._curve else {}),
        )
        self.parts.write_launch(self.endpoint.folder, self._launch_written)

    async def adopt(self, record: KernelRecord, launch: Launch) -> None:
        """Continue with the kernel of ``record``. Raises KernelDeadError when it does not run."""
        self._loop = asyncio.get_running_loop()
        supervisor, status = await self._reach(record)
        if not status["running"]:
            supervisor.close()
            raise KernelDeadError(f"Its process ended (exit code {status['code']}).")
        folder = Path(record.workspace)
        self._workspace = Workspace(
            folder, Path(record.project), (Mount(str(folder), str(folder)),)
        )
        # The kernel spec may be that of a later revision by now.
        self.environment, self.revision = record.environment, record.revision
        self.snapshot, self.image = record.snapshot, record.image
        self._limits, self._notebook = record.limits, record.notebook
        self._supervisor, self._run = supervisor, status["run"]
        self.record, self._has_process = record, True
        if launch.curve_publickey:
            self._curve = Curve(launch.curve_publickey.encode(), launch.curve_secretkey.encode())
        info: Any = self.endpoint.connection(
            launch.key.encode(), launch.signature_scheme, self._curve
        )
        self.connection_info = info
        self._launch_written = replace(launch, pid=os.getpid())
        self.parts.write_launch(self.endpoint.folder, self._launch_written)

    async def _reach(self, record: KernelRecord) -> tuple[Supervisor, dict[str, Any]]:
        """Its supervisor, and what that says of the kernel. Raises KernelDeadError."""
        try:
            return await self._answering()
        except (TimeoutError, KernelDeadError):
            # The server may have ended while it froze the container.
            engine = await self.parts.engines.engine()
            state = await engine.inspect(record.container)
            if state is None or state.phase != "paused":
                raise KernelDeadError("Its container does not answer.") from None
            await engine.unpause(record.container)
            return await self._answering()
        except OSError as error:
            raise KernelDeadError("Its container has ended.") from error

    async def _answering(self) -> tuple[Supervisor, dict[str, Any]]:
        supervisor = await self.endpoint.connect(self._heard)
        try:
            return supervisor, await supervisor.request("status", timeout=_ANSWER_SECONDS)
        except BaseException:
            supervisor.close()
            raise

    async def release(self) -> None:
        """Leave the kernel running, for the next server."""
        record, self.record = self.record, None
        supervisor, self._supervisor = self._supervisor, None
        self._has_process = False
        if supervisor is not None:
            supervisor.close()
        if record is not None:
            if self._launch_written is not None:
                launch = replace(self._launch_written, pid=0)
                self.parts.write_launch(self.endpoint.folder, launch)
            await self.parts.store.kernels.save(replace(record, pid=0))


class Adopter:
    """Gives kernels to the kernel manager of a Jupyter server, and takes them out of it."""

    def __init__(self, manager: Any) -> None:
        """``manager`` is jupyter_server's MappingKernelManager."""
        self._manager = manager
        self._tasks: set[asyncio.Task[None]] = set()

    async def adopt(self, record: KernelRecord, launch: Launch, use: Use) -> None:
        """``use`` says who used the kernel. Raises KernelDeadError when it cannot be taken over."""
        manager, kernel_id = self._manager, record.id
        # Lets the manager make its object as for a new kernel, up to the launch.
        kernel, _, _ = manager.pre_start_kernel(launch.kernel_name, {"kernel_id": kernel_id})
        kernel.kernel_id = kernel_id
        provisioner: Any = KernelProvisionerFactory.instance(
            parent=manager
        ).create_provisioner_instance(kernel_id, kernel.kernel_spec, parent=kernel)
        await provisioner.adopt(record, launch)
        kernel.provisioner = provisioner
        kernel.load_connection_info(provisioner.connection_info)
        kernel.write_connection_file()
        kernel._launch_args = {
            "cwd": launch.cwd,
            "env": dict(launch.environment),
            **({"extra_arguments": list(launch.arguments)} if launch.arguments else {}),
        }
        kernel._attempted_start = True
        kernel.ready.set_result(None)
        kernel.execution_state = "starting"
        manager._kernels[kernel_id] = kernel
        manager._kernel_connections[kernel_id] = 0
        manager._kernel_ports[kernel_id] = kernel.ports
        try:
            await self._watch(kernel_id, kernel, use)
        except BaseException:
            self._take_out(kernel_id)
            raise

    async def _watch(self, kernel_id: str, kernel: Any, use: Use) -> None:
        manager = self._manager
        manager.start_watching_activity(kernel_id)
        watched = kernel.last_activity
        await self._ask_state(kernel_id, kernel)
        if use.last_activity and kernel.execution_state == "idle":
            await _until_welcome(kernel, watched)
            kernel.last_activity = datetime.fromisoformat(use.last_activity)
        kernel.start_restarter()
        # Without a restarter nobody keeps it.
        manager.add_restart_callback(
            kernel_id, lambda: manager._handle_kernel_died(kernel_id), "dead"
        )
        kernel._connect_control_socket()
        if not manager._initialized_culler:
            manager.initialize_culler()

    async def _ask_state(self, kernel_id: str, kernel: Any) -> None:
        """Whether it is idle; until it says so, it is busy."""
        client = kernel.client()
        client.start_channels(shell=True, control=True, iopub=False, stdin=False, hb=False)
        client.kernel_info()
        shell = asyncio.ensure_future(client.get_shell_msg(timeout=None))
        await asyncio.wait([shell], timeout=_IDLE_SECONDS)
        if shell.done():
            await self._answered(kernel, client, shell)
            return
        kernel.execution_state = "busy"
        request = client.session.msg("kernel_info_request")
        client.control_channel.send(request)
        try:
            reply = await client.get_control_msg(timeout=_CONTROL_SECONDS)
        except Empty:
            # Not every language answers there; websockets wait for the cell then.
            pass
        else:
            _set_kernel_info(kernel, reply["content"])
        # The end of the cell may have been told before we listened.
        task = asyncio.create_task(
            self._answered(kernel, client, shell), name=f"jupyter-mlops adopted {kernel_id}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answered(self, kernel: Any, client: Any, shell: asyncio.Future[Any]) -> None:
        try:
            reply = await shell
        finally:
            shell.cancel()
            client.stop_channels()
        _set_kernel_info(kernel, reply["content"])
        # It answers in turn: whatever it was busy with has ended.
        kernel.execution_state = "idle"

    async def release(self, kernel_id: str) -> None:
        """Take a kernel out of the manager; it goes on without a server."""
        kernel = self._take_out(kernel_id)
        kernel.cleanup_connection_file()
        await kernel.provisioner.release()

    def _take_out(self, kernel_id: str) -> Any:
        manager = self._manager
        kernel = manager.get_kernel(kernel_id)
        kernel.stop_restarter()
        manager.stop_watching_activity(kernel_id)
        manager.remove_kernel(kernel_id)
        manager._kernel_connections.pop(kernel_id, None)
        manager._kernel_ports.pop(kernel_id, None)
        kernel._close_control_socket()
        return kernel

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _until_welcome(kernel: Any, watched: datetime) -> None:
    """A kernel greets who starts to listen, which counts as activity; older ones do not."""
    end = time.monotonic() + _WELCOME_SECONDS
    while kernel.last_activity == watched and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def _set_kernel_info(kernel: Any, content: dict[str, Any]) -> None:
    """As if a websocket had asked: the next one need not wait for a busy kernel."""
    if not hasattr(kernel, "_kernel_info_future") and "protocol_version" in content:
        kernel._kernel_info_future = Future()
        kernel._kernel_info_future.set_result(content)
