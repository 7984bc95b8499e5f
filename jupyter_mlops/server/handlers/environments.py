"""Environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.auth.decorator import authorized
from tornado import web

from .. import work
from .base import MlopsHandler

if TYPE_CHECKING:
    from ...core.environment import EnvironmentSpec
    from ..schemas.environments import BuildRequest


class BuildHandler(MlopsHandler):
    """What handlers share that begin builds."""

    async def asked(self, body: BuildRequest) -> EnvironmentSpec:
        """The specification; its smoke notebook is below the root of Jupyter's files."""
        environments = (await self.services()).environments
        spec = body.asked(environments.parse_spec)
        return await environments.with_smoke(spec, self.below_root(""))


class EnvironmentsHandler(BuildHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        page = self.page()
        environments = (await self.services()).environments
        found = await environments.list(limit=page.ask, after=page.after, query=self.text("query"))
        self.answer_page(found, page, lambda environment: environment.name)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from ..schemas.environments import BuildRequest

        body = self.body(BuildRequest)
        services = await self.services()
        spec = await self.asked(body)
        await work.require_free(services, spec.name)
        operation = await services.operations.start(
            "build", spec.name, work.build(services, spec, replace=False)
        )
        self.accepted(operation)


class EnvironmentHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        self.answer(await (await self.services()).environments.get(name))

    @web.authenticated
    @authorized
    async def patch(self, name: str) -> None:
        from ..schemas.environments import ChangeEnvironment

        body = self.body(ChangeEnvironment)
        environments = (await self.services()).environments
        changed = await environments.describe(name, body.description)
        self.running.emitter.environments_changed()
        self.answer(changed)

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        deleting = (await self.services()).environments.deleting
        gone = await deleting.carry_out(await deleting.of_environment(name))
        self.running.emitter.environments_changed()
        self.answer(gone)


class DeletionHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        deleting = (await self.services()).environments.deleting
        old = self.text("old") == "true"
        self.answer(await (deleting.of_old(name) if old else deleting.of_environment(name)))


class ImportsHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from ..schemas.environments import ImportRequest

        body = self.body(ImportRequest)
        environments = (await self.services()).environments
        if body.path:
            file = self.below_root(body.path)
            self.answer(await environments.imported(file, body.extras, body.groups))
        else:
            self.answer(await environments.captured())


default_handlers = [
    (r"/mlops/imports", ImportsHandler),
    (r"/mlops/environments", EnvironmentsHandler),
    (r"/mlops/environments/([^/]+)", EnvironmentHandler),
    (r"/mlops/environments/([^/]+)/deletion", DeletionHandler),
]
