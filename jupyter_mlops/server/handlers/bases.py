"""Base images."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .. import work
from .base import MlopsHandler


class BasesHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer_all(await (await self.services()).environments.bases())

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from ..schemas.bases import CreateBase

        body = self.body(CreateBase)
        services = await self.services()
        file = self.below_root(body.path) if body.kind == "dockerfile" and body.path else None
        operation = await services.operations.start(
            "base", body.name, work.base(services, body, file)
        )
        self.accepted(operation)


class BaseHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        await (await self.services()).environments.delete_base(name)
        self.running.emitter.environments_changed()
        self.answer_nothing()


default_handlers = [
    (r"/mlops/bases", BasesHandler),
    (r"/mlops/bases/([^/]+)", BaseHandler),
]
