"""Phase setup: the user's own script, the last step that changes files."""

from __future__ import annotations

from ...core.layout import RUN_DIR
from .container import BuildContainer
from .failures import setup_failed

SCRIPT = f"{RUN_DIR}/setup.sh"


async def run_setup(container: BuildContainer, script: str) -> None:
    """Run with ``bash -e -o pipefail``; raises BuildFailedError with its last lines.

    From a file, since commands that read their input would swallow a script given by stdin.
    """
    await container.write(SCRIPT, script.replace("\r\n", "\n").encode())
    await container.run(
        "setup",
        'mkdir -p "$HOME"\n'
        f"if command -v bash >/dev/null; then exec bash -e -o pipefail {SCRIPT} </dev/null; fi\n"
        f"exec sh -e {SCRIPT} </dev/null",
        on_line=lambda line: container.progress.update(line[:120]),
        failed=setup_failed,
    )
