"""The engine, the settings, and the description of this interface."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...core.errors import EngineUnavailableError
from ...core.layout import LABEL_OWNER
from .base import MlopsHandler


class EngineHandler(MlopsHandler):
    auth_resource = "mlops-engine"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        services = await self.services()
        answer: dict[str, Any] = {"capabilities": None, "problem": None, "containers": 0}
        try:
            engine = await services.engines.engine()
            ours = await engine.list({LABEL_OWNER: services.settings.owner})
            answer["capabilities"] = await engine.info()
            answer["containers"] = sum(container.running for container in ours)
        except EngineUnavailableError as error:
            answer["problem"] = {"message": error.message, "hint": error.hint}
        self.answer({**answer, "version": version("jupyter_mlops")})


class SettingsHandler(MlopsHandler):
    auth_resource = "mlops-settings"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        settings = (await self.services()).settings
        self.answer({"project": settings.project, "owner": settings.owner})


class OpenApiHandler(MlopsHandler):
    auth_resource = "mlops-settings"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        file = Path(__file__).parents[1] / "openapi.yaml"
        self.answer_text(file.read_text(), "application/yaml")


default_handlers = [
    (r"/mlops/engine", EngineHandler),
    (r"/mlops/settings", SettingsHandler),
    (r"/mlops/openapi.yaml", OpenApiHandler),
]
