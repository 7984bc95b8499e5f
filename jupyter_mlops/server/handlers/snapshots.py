"""Snapshots: made, looked at, published, opened and reproduced."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...core.errors import NotFoundError
from .. import work
from .base import MlopsHandler


class SnapshotsHandler(MlopsHandler):
    auth_resource = "mlops-snapshots"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        page = self.page()
        snapshots = (await self.services()).snapshots
        found = await snapshots.list(limit=page.ask, after=page.after, query=self.text("query"))
        self.answer_page(found, page, lambda snapshot: snapshot.id)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from ..schemas.snapshots import CreateSnapshot

        body = self.body(CreateSnapshot)
        services = await self.services()
        await services.kernels.record(body.kernel)
        operation = await services.operations.start(
            "snapshot", body.name, work.snapshot(services, body)
        )
        self.accepted(operation)


class SnapshotHandler(MlopsHandler):
    auth_resource = "mlops-snapshots"

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        self.answer(await (await self.services()).snapshots.get(id))

    @web.authenticated
    @authorized
    async def delete(self, id: str) -> None:
        await (await self.services()).snapshots.delete(id)
        self.running.emitter.environments_changed()
        self.answer_nothing()


class FindingsHandler(MlopsHandler):
    auth_resource = "mlops-snapshots"

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        self.answer_all(await (await self.services()).sharing.findings(id))


class PublishHandler(MlopsHandler):
    auth_resource = "mlops-sharing"

    @web.authenticated
    @authorized
    async def post(self, id: str) -> None:
        from ..schemas.snapshots import PublishSnapshot

        body = self.body(PublishSnapshot)
        services = await self.services()
        snapshot = await services.snapshots.get(id)
        project = services.sharing.project(body.project).name
        operation = await services.operations.start(
            "publish", snapshot.name, work.publish(services, snapshot.id, project, body.allow)
        )
        self.accepted(operation)


class OpenHandler(MlopsHandler):
    auth_resource = "mlops-snapshots"

    @web.authenticated
    @authorized
    async def post(self, id: str) -> None:
        from ..schemas.snapshots import OpenSnapshot

        folder = self.body(OpenSnapshot).directory
        services = await self.services()
        snapshot = await services.snapshots.get(id)
        operation = await services.operations.start(
            "open",
            snapshot.name,
            work.open_local(services, snapshot.id, self.below_root(folder), self.shown_path),
        )
        self.accepted(operation)


class ReproduceHandler(MlopsHandler):
    auth_resource = "mlops-snapshots"

    @web.authenticated
    @authorized
    async def post(self, id: str) -> None:
        from ..schemas.snapshots import ReproduceSnapshot

        body = self.body(ReproduceSnapshot)
        services = await self.services()
        snapshot = await services.snapshots.get(id)
        into = self.below_root(body.into)
        operation = await services.operations.start(
            "reproduce",
            snapshot.name,
            work.reproduce(services, snapshot.id, into, body.network, self.shown_path),
        )
        self.accepted(operation)


class ReportHandler(MlopsHandler):
    auth_resource = "mlops-snapshots"

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        report = await (await self.services()).reproducing.latest(id)
        if report is None:
            raise NotFoundError(f"The snapshot {id} was not reproduced here yet.", "Reproduce it.")
        self.answer(report)


_SNAPSHOT = r"/mlops/snapshots/([^/]+)"

default_handlers = [
    (r"/mlops/snapshots", SnapshotsHandler),
    (_SNAPSHOT, SnapshotHandler),
    (rf"{_SNAPSHOT}/findings", FindingsHandler),
    (rf"{_SNAPSHOT}/publish", PublishHandler),
    (rf"{_SNAPSHOT}/open", OpenHandler),
    (rf"{_SNAPSHOT}/reproduce", ReproduceHandler),
    (r"/mlops/reports/([^/]+)", ReportHandler),
]
