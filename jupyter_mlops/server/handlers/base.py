"""What all handlers share: bodies in, JSON out, and the one table of errors.

Verbs are never defined here: ``authorized`` keeps the resource of the class that is called first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import responses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError

from ...core.errors import InvalidError, MlopsError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ...core.operation import Operation
    from ...wiring import Services
    from ..running import Running

    Body = TypeVar("Body", bound=BaseModel)

T = TypeVar("T")

STATUS = {
    "invalid": 422,
    "not_found": 404,
    "conflict": 409,
    "unsupported": 501,
    "engine_unavailable": 503,
    "engine_error": 502,
    "disk_full": 507,
    "base_missing": 409,
    "build_failed": 409,
    "unsatisfiable": 409,
    "smoke_failed": 409,
    "index_unavailable": 503,
    "kernel_dead": 409,
    "registry_unavailable": 503,
    "registry_denied": 502,
    "registry_error": 502,
    "manifest_rejected": 502,
    "digest_mismatch": 502,
    "secrets_found": 409,
    "contract_failed": 409,
    "credentials": 502,
    "permission_missing": 502,
    "target_error": 502,
    "cancelled": 409,
    "internal": 500,
    "failed": 500,
}
"""HTTP status by the code of a domain error. 401 and 403 are never among them: they would say
that the *Jupyter* session is not allowed."""

_CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    500: "internal",
}
_HINTS = {
    403: "Log in again. If this stays, ask the server's administrator for the right.",
    500: "The Jupyter server's log has the details; please report them.",
}

DEFAULT_LIMIT = 200
MAX_LIMIT = 1000


@dataclass(frozen=True)
class Page:
    limit: int
    after: str

    @property
    def ask(self) -> int:
        """One more than is sent: it tells whether there is a next page."""
        return self.limit + 1


class MlopsHandler(ExtensionHandlerMixin, APIHandler):
    """Base of all handlers. A concrete one sets ``auth_resource``."""

    @property
    def running(self) -> Running:
        running: Running = self.extensionapp.running  # type: ignore[attr-defined]
        return running

    async def services(self) -> Services:
        return await self.running.services()

    # ------------------------------------------------------------------------- what came

    def body(self, model: type[Body]) -> Body:
        """The request's JSON as ``model``; raises InvalidError naming each wrong field."""
        from ..schemas.bodies import read

        try:
            given = json.loads(self.request.body or b"{}")
        except ValueError as error:
            raise HTTPError(400, f"The body is not JSON: {error}.") from error
        return read(model, given)

    def page(self) -> Page:
        limit = self.number("limit", DEFAULT_LIMIT)
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidError(f"limit={limit} is not between 1 and {MAX_LIMIT}.")
        return Page(limit, self.text("after"))

    def number(self, name: str, default: int = 0) -> int:
        text = self.text(name)
        try:
            return int(text) if text else default
        except ValueError:
            raise InvalidError(f"{name}={text!r} is not a whole number.") from None

    def text(self, name: str) -> str:
        return self.get_query_argument(name, "")

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise InvalidError(f"The request does not say {name}=….")
        return value

    def below_root(self, text: str) -> Path:
        """A path as the file browser has it; raises InvalidError for one outside its root."""
        root = Path(self.settings["server_root_dir"]).expanduser().resolve()
        path = (root / text.strip("/")).resolve()
        if not path.is_relative_to(root) or "\0" in text:
            raise InvalidError(
                f"{text!r} is outside the folder that Jupyter shows.",
                "Choose a folder inside it.",
            )
        return path

    def shown_path(self, path: Path) -> str:
        """The inverse of ``below_root``."""
        root = Path(self.settings["server_root_dir"]).expanduser().resolve()
        return path.relative_to(root).as_posix()

    # ------------------------------------------------------------------------ what goes

    def answer(self, value: Any) -> None:
        from ..schemas.encoding import encoded

        self.finish(json.dumps(encoded(value)))

    def answer_page(self, found: Sequence[T], page: Page, key: Callable[[T], str]) -> None:
        """``found`` was asked for with ``page.ask``."""
        items = found[: page.limit]
        following = key(items[-1]) if len(found) > page.limit else None
        self.answer({"items": list(items), "next": following})

    def answer_all(self, items: Sequence[Any]) -> None:
        """A list that is never long."""
        self.answer({"items": list(items), "next": None})

    def answer_text(self, text: str, content_type: str) -> None:
        self.finish(text, set_content_type=f"{content_type}; charset=UTF-8")

    def answer_nothing(self) -> None:
        self.set_status(204)
        self.finish()

    def accepted(self, operation: Operation) -> None:
        """202 with the operation and where to ask for it."""
        self.set_status(202)
        self.set_header(
            "Location", url_path_join(self.base_url, "mlops", "operations", operation.id)
        )
        self.answer(operation)

    # --------------------------------------------------------------------------- errors

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, MlopsError):
            self.set_status(STATUS.get(error.code, 500))
            body = {"message": error.message, "code": error.code, "hint": error.hint}
        else:
            message = error.log_message if isinstance(error, HTTPError) else ""
            body = {
                "message": message or _MESSAGES.get(status_code, responses.get(status_code, "")),
                "code": _CODES.get(status_code, "failed"),
                "hint": _HINTS.get(status_code, ""),
            }
        body["reason"] = responses.get(self.get_status(), "")
        self.finish(json.dumps(body))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, MlopsError):
            # Foreseen, and told to the user: no traceback.
            self.log.info("%s %s: %s", self.request.method, self.request.path, value)
        else:
            super().log_exception(typ, value, tb)


_MESSAGES = {
    403: "You may not do this on this Jupyter server.",
    404: "There is no such address in this Jupyter server.",
    500: "Something unexpected happened: this is a fault of jupyter-mlops.",
}
