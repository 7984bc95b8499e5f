"""The Jupyter server extension. Importing this loads nothing heavy: see ``running.py``."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from traitlets import default

from ..config import Mlops
from .adoption import Adoption
from .events import register
from .files import follow_files
from .handlers import handlers
from .interrupts import stop_at_once, stop_in_order
from .jupyter_kernels import show_kernels, shut_down_kernels
from .low_latency import send_at_once
from .running import Running


class MlopsApp(ExtensionApp):
    """Containers for every stage of a model's life. Its settings are the class ``Mlops``."""

    name = "jupyter_mlops"
    classes = [ServerApp, Mlops]

    running: Running
    adoption: Adoption

    @default("config_file_name")
    def _default_config_file_name(self) -> str:
        # The base's would be jupyter_jupyter_mlops_config.
        return "jupyter_mlops_config"

    def initialize_settings(self) -> None:
        assert self.serverapp is not None and self.serverapp.event_logger is not None
        register(self.serverapp.event_logger)
        self.adoption = Adoption(self.serverapp)
        self.running = Running(
            self.serverapp.config, self.serverapp.event_logger, self.adoption, self.log
        )

    def initialize_handlers(self) -> None:
        self.handlers.extend(handlers())
        self.adoption.prepare()

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        stop_in_order(serverapp)
        show_kernels(serverapp)
        send_at_once(serverapp)
        follow_files(serverapp, self.running)
        self.adoption.start()
        self.running.start()
        self.running.emitter.environments_changed()

    async def stop_extension(self) -> None:
        assert self.serverapp is not None
        stop_at_once(self.serverapp)
        await shut_down_kernels(self.serverapp, self.adoption)
        await self.adoption.close()
        await self.running.close()
