"""Sessions of Jupyter Server, written down where the next server finds them.

Jupyter Server keeps them in memory, and drops each whose kernel it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_server.serverapp import ServerApp

from ..core.handover import SessionRow

_FUNCTION = "mlops_session_changed"


class SessionRows:
    """Follows the session table of one server by triggers on its database: every change counts,
    whoever makes it."""

    def __init__(self, serverapp: ServerApp, on_change: Callable[[str], None]) -> None:
        """``on_change`` gets the id of the kernel whose sessions changed."""
        self._manager: Any = serverapp.session_manager
        self._on_change = on_change
        self._rows: dict[str, tuple[str, SessionRow]] = {}

    def follow(self) -> None:
        # The property makes the table, where it is not there yet.
        cursor = self._manager.cursor
        self._manager.connection.create_function(_FUNCTION, 6, self._changed)
        for kind, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            cursor.execute(
                f"CREATE TEMP TRIGGER mlops_{kind.lower()} AFTER {kind} ON session BEGIN "
                f"SELECT {_FUNCTION}('{kind}', {row}.session_id, {row}.path, {row}.name, "
                f"{row}.type, {row}.kernel_id); END"
            )

    def of(self, kernel_id: str) -> tuple[SessionRow, ...]:
        return tuple(row for kernel, row in self._rows.values() if kernel == kernel_id)

    async def restore(self, kernel_id: str, row: SessionRow) -> None:
        """The kernel is known again."""
        if row.id in self._rows:
            return
        await self._manager.save_session(
            row.id, path=row.path, name=row.name, type=row.type, kernel_id=kernel_id
        )
        # The notebook may have been renamed since its kernel was started.
        environment = self._manager.get_kernel_env(row.path, row.name)
        name = {"JPY_SESSION_NAME": environment["JPY_SESSION_NAME"]}
        self._manager.kernel_manager.update_env(kernel_id=kernel_id, env=name)

    def _changed(
        self, kind: str, id: str, path: str | None, name: str | None, type: str | None, kernel: str
    ) -> None:
        before = self._rows.pop(id, None)
        if kind != "DELETE":
            self._rows[id] = (kernel, SessionRow(id, path or "", name or "", type or ""))
        for changed in {kernel, *([before[0]] if before else [])}:
            self._on_change(changed)
