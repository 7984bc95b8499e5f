"""What a team published in a registry."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .. import work
from .base import MlopsHandler


class CatalogueHandler(MlopsHandler):
    auth_resource = "mlops-catalogue"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        sharing = (await self.services()).sharing
        self.answer_all(await sharing.catalogue(self.text("project")))


class CatalogueOpenHandler(MlopsHandler):
    auth_resource = "mlops-catalogue"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from ..schemas.catalogue import OpenPublished

        body = self.body(OpenPublished)
        services = await self.services()
        project = services.sharing.project(body.project).name
        folder = self.below_root(body.directory) if body.directory else None
        operation = await services.operations.start(
            "open",
            body.id,
            work.open_published(services, project, body.id, folder, self.shown_path),
        )
        self.accepted(operation)


default_handlers = [
    (r"/mlops/catalogue", CatalogueHandler),
    (r"/mlops/catalogue/open", CatalogueOpenHandler),
]
