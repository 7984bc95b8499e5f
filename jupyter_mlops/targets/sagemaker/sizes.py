"""SageMaker's limits on sizes, checked before anything is sent."""

from __future__ import annotations

from ...core.errors import InvalidError, UnsupportedError
from .options import Options

MB, GB = 1024**2, 1024**3
SERVERLESS_IMAGE_BYTES = 10 * GB
"""Uncompressed; AWS counts 10,737,418,240."""
SERVERLESS_DISK_BYTES = 5 * GB
"""Where the model is unpacked."""
REQUEST_BYTES = {"real-time": 25 * MB, "serverless": 4 * MB, "async": GB, "batch": 100 * MB}
"""Of one request, and of its answer."""


def check_image(size: int, options: Options) -> None:
    """Raise UnsupportedError for an image that is too large; ``size`` is uncompressed."""
    if options.kind == "serverless" and size > SERVERLESS_IMAGE_BYTES:
        raise UnsupportedError(
            f"The image has {size / GB:.1f} GB; a serverless endpoint takes "
            f"{SERVERLESS_IMAGE_BYTES / GB:.0f} GB.",
            "Choose a real-time endpoint, or a smaller environment.",
        )


def check_model(size: int, options: Options) -> None:
    """Raise UnsupportedError for model files that fit on no disk there."""
    if options.kind == "serverless" and size > SERVERLESS_DISK_BYTES:
        raise UnsupportedError(
            f"The model has {size / GB:.1f} GB; a serverless endpoint has a disk of "
            f"{SERVERLESS_DISK_BYTES / GB:.0f} GB.",
            "Choose a real-time endpoint.",
        )


def check_request(size: int, options: Options) -> None:
    """Raise InvalidError for a request that SageMaker refuses."""
    limit = REQUEST_BYTES.get(options.kind)
    if limit is None or size <= limit:
        return
    larger = [kind for kind, most in REQUEST_BYTES.items() if size <= most]
    other = f", or deploy as: {', '.join(larger)}" if larger else ""
    raise InvalidError(
        f"The request has {size / MB:.1f} MB; {options.kind} takes {limit / MB:.0f} MB.",
        f"Send less at once{other}.",
    )
