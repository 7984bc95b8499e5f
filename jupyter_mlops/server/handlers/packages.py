"""Model packages."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .. import work
from .base import MlopsHandler


class PackagesHandler(MlopsHandler):
    auth_resource = "mlops-packages"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        page = self.page()
        found = await (await self.services()).packaging.list(limit=page.ask, after=page.after)
        self.answer_page(found, page, lambda package: package.id)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from ..schemas.packages import CreatePackage

        body = self.body(CreatePackage)
        services = await self.services()
        await services.snapshots.get(body.snapshot)
        operation = await services.operations.start(
            "package", body.name, work.package(services, body)
        )
        self.accepted(operation)


class CandidatesHandler(MlopsHandler):
    auth_resource = "mlops-packages"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        packaging = (await self.services()).packaging
        self.answer(await packaging.candidates(self.required("snapshot")))


class PackageHandler(MlopsHandler):
    auth_resource = "mlops-packages"

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        self.answer(await (await self.services()).packaging.get(id))

    @web.authenticated
    @authorized
    async def delete(self, id: str) -> None:
        await (await self.services()).packaging.delete(id)
        self.answer_nothing()


class CheckHandler(MlopsHandler):
    auth_resource = "mlops-packages"

    @web.authenticated
    @authorized
    async def post(self, id: str) -> None:
        services = await self.services()
        package = await services.packaging.get(id)
        operation = await services.operations.start(
            "check", package.name, work.check(services, package.id)
        )
        self.accepted(operation)


class ApproveHandler(MlopsHandler):
    auth_resource = "mlops-packages"

    @web.authenticated
    @authorized
    async def post(self, id: str) -> None:
        from ..schemas.packages import ApprovePackage

        note = self.body(ApprovePackage).note
        services = await self.services()
        user = self.current_user
        # Who comes with the server's one token gets a name by lot, another one tomorrow.
        by_lot = (user.display_name or "").startswith("Anonymous ")
        by = services.settings.owner if by_lot else user.username
        self.answer(await services.releasing.approve(id, by, note))


class GateHandler(MlopsHandler):
    auth_resource = "mlops-packages"

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        from ...core.gate import Gate

        asked = Gate(self.text("level"), self.text("approval") == "true")
        self.answer(await (await self.services()).releasing.gate(id, asked))


class CardHandler(MlopsHandler):
    auth_resource = "mlops-packages"

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        from ..schemas.packages import ModelCard

        text = await (await self.services()).releasing.card(id)
        self.answer(ModelCard(markdown=text))


_PACKAGE = r"/mlops/packages/([^/]+)"

default_handlers = [
    (r"/mlops/packages", PackagesHandler),
    (r"/mlops/packages/candidates", CandidatesHandler),
    (_PACKAGE, PackageHandler),
    (rf"{_PACKAGE}/check", CheckHandler),
    (rf"{_PACKAGE}/approve", ApproveHandler),
    (rf"{_PACKAGE}/gate", GateHandler),
    (rf"{_PACKAGE}/card", CardHandler),
]
