"""The contract check on packages of ours: what passes, and what a handler's failures say.

That each check can fail is in test_contract_faults.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.layout import LABEL_OWNER
from jupyter_mlops.core.model_package import Check, ContractReport, Handler
from jupyter_mlops.services.contract import Contract
from jupyter_mlops.services.contract_checks.answers import difference

from ..parts.projects import package
from ..parts.services import Recorder, Tiny

pytestmark = pytest.mark.docker

ALL = {
    "architecture", "entrypoint", "user", "layer", "secrets", "starts", "ping", "invocations",
    "same_prediction", "bad_input", "content_type", "empty_body", "size", "batch", "metrics",
    "ping_busy", "writes", "sigterm",
}  # fmt: skip


def failed(report: ContractReport) -> dict[str, Check]:
    return {check.name: check for check in report.checks if not check.passed}


async def checked(
    services: Any, tiny: Tiny, folder: Path, limit: float = 60.0, **changes: Any
) -> ContractReport:
    """Make a package, check it, remove it, and see that nothing of the check stays."""
    made = await package(services, tiny, folder, **changes)
    contract = Contract(
        settings=services.settings, engines=services.engines, blobs=services.blobs,
        start_limit=limit,
    )  # fmt: skip
    recorder = Recorder()
    report = await contract.check(made, recorder)
    engine = await services.engines.engine()
    assert not await engine.list({LABEL_OWNER: services.settings.owner})
    assert not list((services.settings.data / "checks").iterdir())
    assert report.image == made.image
    assert all(check.hint for check in report.checks if not check.passed)
    assert all(check.detail and check.title for check in report.checks)
    await services.packaging.delete(made.id)
    return report


async def test_a_good_package_passes(services: Any, tiny_environment: Tiny, tmp_path: Path) -> None:
    made = await package(services, tiny_environment, tmp_path / "p")
    recorder = Recorder()
    report = await services.packaging.check(made.id, recorder)
    assert not failed(report)
    assert report.passed
    assert report.notes == ("Trusted only: model.pkl: loading it runs what is in it (a pickle).",)
    assert {check.name for check in report.checks} == ALL
    assert recorder.phases == ["image", "start", "requests", "stop"]
    assert "passed  Same prediction as in the notebook" in recorder.text
    kept = await services.packaging.get(made.id)
    assert kept == replace(made, report=report)
    await services.packaging.delete(made.id)


async def test_a_function_passes(services: Any, tiny_environment: Tiny, tmp_path: Path) -> None:
    report = await checked(
        services,
        tiny_environment,
        tmp_path / "p",
        handler=Handler("function", "area.py", "area"),
        area__py="def area(width, height=2):\n    return width * height\n",
        sample__json=json.dumps({"data": {"width": 3}}),
        prediction__json=json.dumps({"result": 6}),
    )
    assert not failed(report)


async def test_csv_passes_without_a_recorded_answer(
    services: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    report = await checked(
        services,
        tiny_environment,
        tmp_path / "p",
        sample="rows.csv",
        expected="",
        rows__csv="a,b\n1,2\n3,4\n",
        inference__py="def predict_fn(rows, model):\n    return [sum(r.values()) for r in rows]\n",
    )
    assert not failed(report)
    assert {check.name for check in report.checks} == ALL - {"same_prediction"}


# These fail only where they are served, in an image with this folder: what fails before that is
# refused before there is a package.
FAILURES: dict[str, tuple[dict[str, Any], dict[str, tuple[str, str]]]] = {
    "a package is missing": (
        {
            "inference__py": """
                import importlib, os
                def model_fn(folder):
                    if not os.path.exists("/opt/mlops/serve"): return len
                    return importlib.import_module("numpy")
            """
        },
        {"starts": ("No module named 'numpy' (inference.py, line 5)", "Install the package")},
    ),
    "a package is missing when asked": (
        {
            "inference__py": """
                import importlib, os
                def predict_fn(rows, model):
                    if not os.path.exists("/opt/mlops/serve"): return [1]
                    return importlib.import_module("numpy")
            """
        },
        {
            "invocations": ("No module named 'numpy'", "Install the package"),
            "same_prediction": ("there is no prediction: 500", "First make the sample"),
            "size": ("6 MB: 500", "container's log"),
        },
    ),
    "writes at start": (
        {
            "inference__py": """
                import os
                def model_fn(folder):
                    if not os.path.exists("/opt/mlops/serve"): return len
                    with open(os.path.join(folder, "cache.bin"), "w") as file: file.write("x")
            """
        },
        {
            "starts": ("Read-only file system", "Write below /tmp"),
            "writes": ("tried to write to /opt/ml/model/cache.bin", "Write below /tmp"),
        },
    ),
    "writes when asked": (
        {
            "inference__py": """
                def predict_fn(rows, model):
                    with open("answers.log", "a") as file: file.write("x")
                    return [1]
            """
        },
        {
            "invocations": ("Read-only file system: 'answers.log'", "Write below /tmp"),
            "same_prediction": ("there is no prediction", "First make"),
            "size": ("6 MB: 500", "log"),
            "writes": ("tried to write to answers.log", "tempfile.gettempdir()"),
        },
    ),
    "bad input is its own fault": (
        {
            "inference__py": """
                import json
                def transform_fn(model, body, content_type, accept):
                    try:
                        rows = json.loads(body)["instances"]
                    except Exception:
                        raise RuntimeError("oops")
                    return json.dumps([1] * len(rows))
            """,
            "prediction__json": "[1, 1]",
        },
        {
            "bad_input": ("500: RuntimeError: oops", "raise ValueError"),
            "content_type": ("500: RuntimeError: oops", "look at content_type"),
            "empty_body": ("500: RuntimeError: oops", "raise ValueError"),
        },
    ),
    "it dies": (
        {
            "inference__py": """
                import os
                def predict_fn(rows, model): os.path.exists("/opt/mlops/serve") and os.abort()
            """
        },
        {"starts": ("killed by SIGABRT (signal 6)", "Correct what the message says")},
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_failures_say_what_to_do(
    case: str, services: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    changes, expected = FAILURES[case]
    found = failed(await checked(services, tiny_environment, tmp_path / "p", **changes))
    for name, (detail, hint) in expected.items():
        assert name in found
        assert detail in found[name].detail
        assert hint in found[name].hint
    assert found.keys() == expected.keys()


async def test_probes_that_never_succeed(
    services: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    report = await checked(
        services,
        tiny_environment,
        tmp_path / "p",
        limit=3.0,
        inference__py="""
            import os, time
            def model_fn(folder):
                print("downloading a very large model")
                os.path.exists("/opt/mlops/serve") and time.sleep(3600)
                return len
        """,
    )
    found = failed(report)
    assert found.keys() == {"starts"}
    assert "not ready after 3 s: 503: The model is being loaded." in found["starts"].detail
    assert "downloading a very large model" in found["starts"].detail
    assert "480 s" in found["starts"].hint


@pytest.mark.parametrize(
    ("expected", "given", "kind", "differs"),
    [
        ("[1.0, 2]", "[1, 2.0000000001]", "application/json", ""),
        ("[1, 2]", '{"predictions": [1, 2]}', "application/json", ""),
        ('{"a": [NaN]}', '{"a": [null]}', "application/json; charset=utf-8", ""),
        ("[1, 2]", "[1, 2.001]", "application/json", "expected 2, got 2.001 at [1]"),
        ("[[1], [2]]", "[[1], []]", "application/json", "expected 1 values, got 0 at [1]"),
        ('{"a": 1}', '{"b": 1}', "application/json", "expected the keys ['a'], got ['b']"),
        ("[true]", "[1]", "application/json", "expected true, got 1 at [0]"),
        ("1", "<html>", "application/json", "the answer is not JSON: <html>"),
        ("1\n2\n", "1\n2", "text/csv", ""),
        ("1\n2\n", "1\n3\n", "text/csv", "expected 1\n2, got 1\n3"),
    ],
)
def test_difference(expected: str, given: str, kind: str, differs: str) -> None:
    assert difference(expected.encode(), given.encode(), kind) == differs
