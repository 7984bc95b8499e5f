"""Whether the sample gets the same answer in each content type that it can have."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from ...core.model_package import Check, ModelPackage
from .answers import difference
from .running import Answer, Running


async def check(
    running: Running, package: ModelPackage, first: Answer, others: Sequence[tuple[str, bytes]]
) -> Check:
    """``first`` is the answer to the sample itself; ``others`` are (content type, body)."""
    accept = package.sample.accept
    requests = [
        {
            "method": "POST",
            "path": "/invocations",
            "headers": {"Content-Type": kind, "Accept": accept},
            "body": base64.b64encode(body).decode(),
        }
        for kind, body in others
    ]
    wrong = []
    for (kind, _), answer in zip(others, await running.requests(requests), strict=True):
        if answer.status != 200:
            wrong.append(f"{kind}: {answer.shown}")
        elif first.status == 200 and (differs := difference(first.body, answer.body, accept)):
            wrong.append(f"{kind}: {differs}")
    return Check(
        "forms",
        "Answers the sample in its other content types",
        not wrong,
        "; ".join(wrong) or f"the same answer to {', '.join(kind for kind, _ in others)}",
        "Let input_fn read these content types, or make the package without these forms of the "
        "sample: callers will send what they find recorded."
        if wrong
        else "",
    )
