"""Where the private things of a kernel are."""

from __future__ import annotations

import hashlib
from pathlib import Path


def kernel_folder(runtime: Path, kernel_id: str) -> Path:
    """The private folder of one kernel below ``Settings.runtime``.

    Its name is short because the sockets below it share the 107 bytes of a socket's path.
    """
    return runtime / hashlib.sha256(kernel_id.encode()).hexdigest()[:10]
