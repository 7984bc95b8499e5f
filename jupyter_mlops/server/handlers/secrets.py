"""Secrets that kernels wait for while they start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jupyter_server.auth.decorator import authorized
from tornado import web

from .base import MlopsHandler


class SecretsHandler(MlopsHandler):
    auth_resource = "mlops-kernels"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer_all(
            [
                replace(request, notebook=self._shown(request.notebook))
                for request in self.running.questions.list()
            ]
        )

    def _shown(self, notebook: str) -> str:
        try:
            return self.shown_path(Path(notebook)) if notebook else ""
        except ValueError:
            return ""  # A kernel for something outside what the server shows.


class KernelSecretsHandler(MlopsHandler):
    auth_resource = "mlops-kernels"

    @web.authenticated
    @authorized
    async def put(self, kernel_id: str) -> None:
        from ..schemas.secrets import GivenSecrets

        self.running.questions.answer(kernel_id, self.body(GivenSecrets).values)
        self.answer_nothing()

    @web.authenticated
    @authorized
    async def delete(self, kernel_id: str) -> None:
        self.running.questions.refuse(kernel_id)
        self.answer_nothing()


default_handlers = [
    (r"/mlops/secrets", SecretsHandler),
    (r"/mlops/kernels/([\w-]+)/secrets", KernelSecretsHandler),
]
