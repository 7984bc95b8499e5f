"""Secrets that kernels wait for while they start: asked in the browser, kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..core.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from ..core.kernel import SecretRequest

PATIENCE = 300.0
"""Seconds until a kernel whose secrets nobody gives is given up."""


class Questions:
    """Open requests by kernel id. All methods are called on the server's loop."""

    def __init__(self, tell: Callable[[str], None], patience: float = PATIENCE) -> None:
        """``tell`` gets the id of a kernel whose question is new, or has ended."""
        self._tell = tell
        self._patience = patience
        self._open: dict[str, tuple[SecretRequest, asyncio.Future[dict[str, str]]]] = {}

    async def ask(self, request: SecretRequest) -> dict[str, str]:
        """Wait for the values. Raises NotFoundError when the user gives none."""
        answer: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self._open[request.kernel_id] = (request, answer)
        self._tell(request.kernel_id)
        try:
            return await asyncio.wait_for(answer, self._patience)
        except asyncio.TimeoutError:
            raise _not_given(request, f"within {self._patience / 60:g} minutes") from None
        finally:
            del self._open[request.kernel_id]
            # Other tabs show the same question.
            self._tell(request.kernel_id)

    def list(self) -> list[SecretRequest]:
        return [request for request, _ in self._open.values()]

    def answer(self, kernel_id: str, values: Mapping[str, str]) -> None:
        """Raises NotFoundError where nothing is asked, and InvalidError for other names or for no
        value; neither quotes one."""
        request, answer = self._find(kernel_id)
        missing = [name for name in request.names if not values.get(name)]
        if missing:
            raise InvalidError(
                f"{missing[0]} is empty.", "Give a value for every secret that is asked for."
            )
        if values.keys() - set(request.names) or any("\0" in value for value in values.values()):
            raise InvalidError("These are not the secrets that the kernel waits for.")
        if not answer.done():
            answer.set_result(dict(values))

    def refuse(self, kernel_id: str) -> None:
        """The user does not give them: the kernel does not start."""
        request, answer = self._find(kernel_id)
        if not answer.done():
            answer.set_exception(_not_given(request, ""))

    def _find(self, kernel_id: str) -> tuple[SecretRequest, asyncio.Future[dict[str, str]]]:
        if kernel_id not in self._open:
            raise NotFoundError(
                "This kernel does not wait for secrets any more.",
                "Somebody answered, or its start was given up. Start it again.",
            )
        return self._open[kernel_id]


def _not_given(request: SecretRequest, when: str) -> NotFoundError:
    names = ", ".join(request.names)
    return NotFoundError(
        f"The kernel did not start: {names} was not given {when}".rstrip() + ".",
        "Start it again and type it; or let an administrator say where its value is "
        f"(Mlops.secrets); or take it out of the secrets of {request.environment!r}.",
    )
