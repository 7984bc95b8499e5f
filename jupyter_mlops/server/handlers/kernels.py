"""Kernels in containers."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .base import MlopsHandler


class KernelsHandler(MlopsHandler):
    auth_resource = "mlops-kernels"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer_all(await (await self.services()).kernels.list())


class KernelHandler(MlopsHandler):
    auth_resource = "mlops-kernels"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, kernel_id: str) -> None:
        self.answer(await (await self.services()).kernels.get(kernel_id))


class DriftHandler(MlopsHandler):
    auth_resource = "mlops-kernels"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, kernel_id: str) -> None:
        self.answer(await (await self.services()).kernels.drift(kernel_id))


class AdditionsHandler(MlopsHandler):
    auth_resource = "mlops-kernels"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, kernel_id: str) -> None:
        self.answer(await (await self.services()).kernels.additions(kernel_id))


class PreviewHandler(MlopsHandler):
    auth_resource = "mlops-kernels"

    @web.authenticated
    @authorized
    async def get(self, kernel_id: str) -> None:
        self.answer(await (await self.services()).snapshots.preview(kernel_id))


class ModelsHandler(MlopsHandler):
    auth_resource = "mlops-kernels"

    @web.authenticated
    @authorized
    async def get(self, kernel_id: str) -> None:
        self.answer(await (await self.services()).live_models.survey(kernel_id))

    @web.authenticated
    @authorized
    async def post(self, kernel_id: str) -> None:
        from ..schemas.packages import ExportModel

        body = self.body(ExportModel)
        exports = (await self.services()).live_models
        self.answer(await exports.export(kernel_id, body.model, body.sample, body.name))


_KERNEL = r"/mlops/kernels/([\w-]+)"

default_handlers = [
    (r"/mlops/kernels", KernelsHandler),
    (_KERNEL, KernelHandler),
    (rf"{_KERNEL}/drift", DriftHandler),
    (rf"{_KERNEL}/additions", AdditionsHandler),
    (rf"{_KERNEL}/preview", PreviewHandler),
    (rf"{_KERNEL}/models", ModelsHandler),
]
