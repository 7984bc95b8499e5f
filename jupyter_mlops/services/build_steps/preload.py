"""Phase probe: which modules kernels of this image begin with."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ...core.layout import RUN_DIR
from .container import GUEST, PYTHON, BuildContainer

_ZYGOTE = f"{RUN_DIR}/zygote.py"
_GUEST = GUEST / "kernel"


async def record(container: BuildContainer, names: Sequence[str]) -> None:
    """Leave a list in the image: what a live kernel has imported, and those of ``names`` that a
    kernel can be forked with. Others are named in the log: nothing is worse without them but the
    time until a cell has them.
    """
    log = container.progress.log
    if names:
        await container.write(_ZYGOTE, (_GUEST / "zygote.py").read_bytes())
    code, stdout, said = await container.ask(
        f'exec {PYTHON} -I -B - "$@"',
        *((_ZYGOTE, *names) if names else ()),
        stdin=(_GUEST / "recording.py").read_bytes(),
    )
    if code:
        log(f"What a kernel imports could not be recorded: {_last(said)}\n")
    refused = _refused(stdout)
    for name, reason in sorted(refused.items()):
        log(f"Not preloaded: {name} ({reason})\n")
    ready = [name for name in names if name not in refused]
    if ready and stdout:
        log(f"Kernels begin with {', '.join(ready)} imported\n")


def _refused(stdout: str) -> dict[str, str]:
    try:
        found = json.loads(stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return {str(name): str(reason) for name, reason in found.items()}


def _last(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if not line.startswith("{")]
    return lines[-1] if lines else "no reason was given"
