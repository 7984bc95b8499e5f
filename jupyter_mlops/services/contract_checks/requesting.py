"""Whether requests, good and bad, are answered as SageMaker and its callers need it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.model_package import Check, ModelPackage
from . import forms
from .answers import difference
from .running import Answer, Running
from .starting import NO_NETWORK, calls_out

USUAL = 6 * 1024 * 1024
"""Bytes of a real-time request by the API's reference; batch transform's default too."""
TOO_LARGE = 10**12
RESPONSE_LIMIT = 60.0
ANSWER_LIMIT = 25_000_000
"""Bytes of an answer that a real-time endpoint passes on."""
BUSY_SECONDS = 1.5
BUSY_CLIENTS = 8

_BROKEN = {
    "application/json": b'{"broken": ',
    "application/jsonlines": b'{"broken": \n',
    "text/csv": b'1,2\n3,"4\xff\n5',
}


def plan(package: ModelPackage, body: bytes) -> list[dict[str, Any]]:
    """The requests, in the order that ``checks`` reads their answers in."""
    kind, accept = package.sample.content_type, package.sample.accept

    def post(content: bytes, content_type: str = kind, **more: Any) -> dict[str, Any]:
        headers = {"Content-Type": content_type, "Accept": accept}
        return {
            "method": "POST",
            "path": "/invocations",
            "headers": headers,
            "body": base64.b64encode(content).decode(),
            **more,
        }

    broken = _BROKEN.get(kind.partition(";")[0].strip(), b"\x00\xff broken")
    sample = post(body)
    return [
        sample,
        sample,
        sample,
        post(broken),
        post(b"what is this?", "application/x-unheard-of"),
        post(b""),
        post(body, pad=USUAL, fill="\n" if "csv" in kind or "lines" in kind else " "),
        post(b"", announced=TOO_LARGE),
        {"method": "GET", "path": "/execution-parameters"},
        {"method": "GET", "path": "/metrics"},
        {"method": "GET", "path": "/ping"},
    ]


async def checks(
    running: Running,
    package: ModelPackage,
    body: bytes,
    expected: bytes,
    others: Sequence[tuple[str, bytes]] = (),
) -> list[Check]:
    """``expected`` is the notebook's answer, empty where none was recorded; ``others`` are the
    sample in other content types."""
    requests = plan(package, body)
    answers = await running.requests(requests)
    first, second, third = answers[:3]
    found = [_invocations(first, second, third)]
    if expected:
        found.append(_prediction(first, expected, package))
    found += [
        _bad(answers[3]),
        _unknown(answers[4]),
        _empty(answers[5]),
        _size(answers[6], answers[7]),
        _batch(answers[8]),
        _metrics(answers[9]),
    ]
    if others:
        found.append(await forms.check(running, package, answers[0], others))
    found.append(await _busy(running, requests[0], first.status == 200))
    return found


def _invocations(*answers: Answer) -> Check:
    first = answers[0]
    slowest = max(answer.seconds for answer in answers)
    passed = all(a.status == 200 for a in answers) and slowest < RESPONSE_LIMIT
    hint = ""
    if first.status == 200 and first.size > ANSWER_LIMIT:
        return Check(
            "invocations",
            "Answers the sample request",
            False,
            f"answered with {first.size / 2**20:.1f} MB",
            "SageMaker passes on 25 MB at most: answer with less, or save a smaller sample.",
            first.seconds,
        )
    if first.status != 200:
        hint = "Correct what the message says in the handler, freeze again, make a new package."
        if "No module named" in first.said:
            hint = "Install the package in the kernel and freeze again."
        if calls_out(first.said):
            hint = NO_NETWORK
        if "Errno 30" in first.said:
            hint = "Write below /tmp only: the image and the model's folder are read-only."
        if first.status in (400, 415):
            hint = "Choose a sample that the handler reads, or say its content type."
    elif not passed:
        hint = "SageMaker gives up after 60 s: make predict_fn faster, or deploy it as async."
    milliseconds = sorted(a.seconds * 1000 for a in answers)[1]
    return Check(
        "invocations",
        "Answers the sample request",
        passed,
        f"answered in {milliseconds:.0f} ms" if passed else first.shown,
        hint,
        first.seconds,
    )


def _prediction(answer: Answer, expected: bytes, package: ModelPackage) -> Check:
    title = "Same prediction as in the notebook"
    if answer.status != 200:
        return Check(
            "same_prediction",
            title,
            False,
            f"there is no prediction: {answer.shown}",
            "First make the sample request work.",
        )
    differs = difference(expected, answer.body, package.sample.accept)
    return Check(
        "same_prediction",
        title,
        not differs,
        differs or "the same values, to nine digits",
        "Save the model, the sample and the expected answer in one run of the notebook, then "
        "freeze again. If they were, the handler does something that the notebook did not."
        if differs
        else "",
    )


def _bad(answer: Answer) -> Check:
    passed = 400 <= answer.status < 500 and bool(answer.said)
    return Check(
        "bad_input",
        "Tells callers what is wrong with their input",
        passed,
        answer.shown,
        ""
        if passed
        else "Let input_fn raise ValueError with a sentence that says what is wrong: it becomes "
        "an answer 400.",
    )


def _unknown(answer: Answer) -> Check:
    # A handler's own input_fn may take any type, or refuse in words of its own.
    passed = 200 <= answer.status < 500
    detail = answer.shown
    if answer.status == 200:
        detail = "200: the handler reads bodies of any content type"
    return Check(
        "content_type",
        "Refuses content types it does not know",
        passed,
        detail,
        "" if passed else "Let input_fn look at content_type, and raise ValueError for others.",
    )


def _empty(answer: Answer) -> Check:
    passed = 200 <= answer.status < 500
    return Check(
        "empty_body",
        "Survives an empty request",
        passed,
        answer.shown if answer.status != 200 else "200: the handler needs no input",
        "" if passed else "Let input_fn raise ValueError when the body is empty.",
    )


def _size(usual: Answer, large: Answer) -> Check:
    takes = 0 < usual.status < 500 and usual.status != 413
    refuses = large.status == 413
    detail = (
        f"6 MB: {usual.status or usual.shown}; more than allowed: {large.status or large.shown}"
    )
    hint = ""
    if not takes:
        hint = "Requests of 6 MB are usual. Look at the container's log for what they ran into."
    elif not refuses:
        hint = "Report this: the serving layer should refuse oversized requests."
    return Check(
        "size", "Takes 6 MB and refuses oversized requests", takes and refuses, detail, hint
    )


def _batch(answer: Answer) -> Check:
    try:
        parameters = json.loads(answer.body) if answer.status == 200 else {}
    except ValueError:
        parameters = {}
    wanted = {"MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB"}
    passed = isinstance(parameters, dict) and wanted <= parameters.keys()
    return Check(
        "batch",
        "Tells batch transform how to call it",
        passed,
        answer.body.decode("utf-8", "replace") if passed else answer.shown,
        "" if passed else "Report this: /execution-parameters is the serving layer's own.",
    )


def _metrics(answer: Answer) -> Check:
    passed = answer.status == 200 and b"mlops_requests_total" in answer.body
    lines = [line for line in answer.body.splitlines() if line and not line.startswith(b"#")]
    return Check(
        "metrics",
        "Reports its metrics",
        passed,
        f"{len(lines)} values in Prometheus' format" if passed else answer.shown,
        "" if passed else "Report this: /metrics is the serving layer's own.",
    )


async def _busy(running: Running, sample: Mapping[str, Any], works: bool) -> Check:
    title = "Answers health probes while it works"
    found = await running.call(
        "busy", request=sample, seconds=BUSY_SECONDS, clients=BUSY_CLIENTS if works else 1
    )
    if found is None:
        return Check(
            "ping_busy", title, False, f"the container ended:\n{await running.log()}",
            "Find out in the log what ends it when requests come in parallel.",
        )  # fmt: skip
    slowest, failed = float(found["slowest"]), found["failed"]
    passed = not failed and slowest < 2.0
    detail = (
        f"slowest of {found['probes']} probes {slowest * 1000:.0f} ms, while "
        f"{found['answered']} requests were answered"
    )
    if failed:
        detail += f"; {len(failed)} probes failed: {failed[0]}"
    return Check(
        "ping_busy",
        title,
        passed,
        detail,
        ""
        if passed
        else "The handler takes the processors or the memory that the front needs to answer: "
        "use fewer threads or processes in predict_fn.",
        slowest,
    )
