"""Limits of a notebook's kernel."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .base import MlopsHandler


class LimitsHandler(MlopsHandler):
    auth_resource = "mlops-kernels"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        notebook = self.below_root(self.required("notebook"))
        limits = (await self.services()).limits
        self.answer(await limits.get(notebook, self.text("environment")))

    @web.authenticated
    @authorized
    async def put(self) -> None:
        from ...core.limits import limits_of
        from ..schemas.limits import SaveLimits

        body = self.body(SaveLimits)
        notebook = self.below_root(body.notebook)
        limits = (await self.services()).limits
        await limits.save(notebook, limits_of(body.limits.model_dump()))
        self.answer(await limits.get(notebook, body.environment))


default_handlers = [(r"/mlops/limits", LimitsHandler)]
