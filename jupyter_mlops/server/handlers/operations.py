"""Operations: how long work is watched and cancelled."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...core.errors import InvalidError
from ...core.operation import OperationState
from .base import MlopsHandler


class OperationsHandler(MlopsHandler):
    auth_resource = "mlops-operations"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        page = self.page()
        state = self.text("state")
        if state and state not in [known.value for known in OperationState]:
            raise InvalidError(f"An operation is never {state!r}.")
        operations = (await self.services()).operations
        found = await operations.list(limit=page.ask, after=page.after, state=state)
        self.answer_page(found, page, lambda operation: operation.id)


class OperationHandler(MlopsHandler):
    auth_resource = "mlops-operations"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        self.answer(await (await self.services()).operations.get(id))

    @web.authenticated
    @authorized
    async def delete(self, id: str) -> None:
        self.answer(await (await self.services()).operations.cancel(id))


class OperationLogHandler(MlopsHandler):
    auth_resource = "mlops-operations"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        operations = (await self.services()).operations
        text, following = await operations.log(id, self.number("offset"))
        self.answer({"text": text, "next": following})


_OPERATION = r"/mlops/operations/([\w-]+)"

default_handlers = [
    (r"/mlops/operations", OperationsHandler),
    (_OPERATION, OperationHandler),
    (rf"{_OPERATION}/log", OperationLogHandler),
]
