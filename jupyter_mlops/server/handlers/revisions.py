"""Revisions of an environment, and the difference between any two things that were built."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...core.errors import InvalidError
from .. import work
from .base import MlopsHandler
from .environments import BuildHandler


class RevisionsHandler(BuildHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        self.answer_all(await (await self.services()).environments.revisions(name))

    @web.authenticated
    @authorized
    async def post(self, name: str) -> None:
        from ..schemas.environments import RevisionRequest

        body = self.body(RevisionRequest)
        services = await self.services()
        notes: list[str] = []
        if body.from_kernel:
            spec, found = await services.kernels.to_revision(name, body.from_kernel)
            notes = [f"Not taken over: {left.name}. {left.reason}" for left in found.left_out]
        else:
            spec = await self.asked(body)
        if spec.name != name:
            raise InvalidError(f"This describes {spec.name!r}, not the environment {name!r}.")
        await services.environments.get(name)
        operation = await services.operations.start(
            "build", name, work.build(services, spec, replace=True, notes=notes)
        )
        self.accepted(operation)

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        deleting = (await self.services()).environments.deleting
        gone = await deleting.carry_out(await deleting.of_old(name))
        self.running.emitter.environments_changed()
        self.answer(gone)


class OldRevisionsHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer(await (await self.services()).environments.deleting.of_old())

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        deleting = (await self.services()).environments.deleting
        gone = await deleting.carry_out(await deleting.of_old())
        self.running.emitter.environments_changed()
        self.answer(gone)


class RevisionHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def delete(self, name: str, number: str) -> None:
        deleting = (await self.services()).environments.deleting
        gone = await deleting.carry_out(await deleting.of_revision(name, int(number)))
        self.running.emitter.environments_changed()
        self.answer(gone)

    @web.authenticated
    @authorized
    async def get(self, name: str, number: str) -> None:
        self.answer(await (await self.services()).environments.revision(name, int(number)))


class RevisionDeletionHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self, name: str, number: str) -> None:
        deleting = (await self.services()).environments.deleting
        self.answer(await deleting.of_revision(name, int(number)))


class LockHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self, name: str, number: str) -> None:
        environments = (await self.services()).environments
        lock = await environments.lock(await environments.revision(name, int(number)))
        self.answer_text(lock, "application/toml")


class InventoryHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self, name: str, number: str) -> None:
        environments = (await self.services()).environments
        revision = await environments.revision(name, int(number))
        self.answer(await environments.inventory(revision))


class ActivateHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def post(self, name: str, number: str) -> None:
        services = await self.services()
        activated = await services.environments.activate(name, int(number))
        await services.rebuilds.follow(name)
        self.running.emitter.environments_changed()
        self.answer(activated)


class DiffHandler(MlopsHandler):
    auth_resource = "mlops-environments"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        snapshots = (await self.services()).snapshots
        self.answer(await snapshots.diff(self.required("a"), self.required("b")))


_REVISION = r"/mlops/environments/([^/]+)/revisions/(\d{1,9})"

default_handlers = [
    (r"/mlops/environments/([^/]+)/revisions", RevisionsHandler),
    (r"/mlops/old-revisions", OldRevisionsHandler),
    (_REVISION, RevisionHandler),
    (rf"{_REVISION}/deletion", RevisionDeletionHandler),
    (rf"{_REVISION}/lock", LockHandler),
    (rf"{_REVISION}/inventory", InventoryHandler),
    (rf"{_REVISION}/activate", ActivateHandler),
    (r"/mlops/diff", DiffHandler),
]
