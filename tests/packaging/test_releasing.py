"""Approvals, gates and the model card of a package."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard, ModelCardData

from jupyter_mlops.core.errors import InvalidError
from jupyter_mlops.core.gate import Gate, judge
from jupyter_mlops.core.metrics import METRICS, newest, of_notebook
from jupyter_mlops.core.model_package import (
    Approval,
    Check,
    ContractReport,
    Handler,
    ModelPackage,
    Sample,
)
from jupyter_mlops.core.reproduction import Level, ReproduceReport

from ..parts.projects import package
from ..parts.services import Recorder, Tiny


def notebook(*outputs: dict[str, Any]) -> bytes:
    cells = [{"cell_type": "markdown", "source": "# Fit"}]
    cells += [{"cell_type": "code", "source": "", "outputs": [{"data": d}]} for d in outputs]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode()


PACKAGE = ModelPackage(
    id="p-0", name="churn", owner="me", created="", snapshot="s-0", image="sha256:1", ref="",
    model="", model_files=("m.skops",), model_size=1, handler=Handler("default", ""),
    sample=Sample("application/json", ""),
)  # fmt: skip
PASSED = ContractReport("sha256:1", "", (Check("ping", "Answers", True),))
FAILED = ContractReport("sha256:1", "", (Check("ping", "Answers", False, "slow", "Be fast."),))
LEVELS = tuple(Level(f"L{n}", f"Level {n}", n < 3, "as seen") for n in range(4))
REPRODUCED = ReproduceReport("s-0", "", "", LEVELS, ())
APPROVED = (Approval("ann", "", "sha256:1"),)


@pytest.mark.parametrize(
    ("gate", "changes", "reproduced", "missing"),
    [
        (Gate(), {}, None, "has not been checked: jupyter mlops package check p-0"),
        (Gate(), {"report": FAILED}, None, "1 failed checks: Answers (Be fast.)"),
        (Gate(), {"report": replace(PASSED, image="sha256:0")}, None, "made anew since"),
        (Gate(), {"report": PASSED}, None, ""),
        (Gate("L2"), {"report": PASSED}, None, "not been reproduced, and L2 is asked for"),
        (Gate("L2"), {"report": PASSED}, REPRODUCED, ""),
        (Gate("L3"), {"report": PASSED}, REPRODUCED, "Level L3 (Level 3) did not pass: as seen"),
        (Gate("L3"), {"report": PASSED}, replace(REPRODUCED, levels=LEVELS[:3]), "L3 was not"),
        (Gate(approval=True), {"report": PASSED}, None, "is not approved: jupyter mlops"),
        (Gate(approval=True), {"report": PASSED, "approvals": APPROVED}, None, ""),
        (Gate(approvers=("bob", "cy")), {"report": PASSED, "approvals": APPROVED}, None,
         "not approved by bob or cy"),
        (Gate(approval=True),
         {"report": PASSED, "approvals": (replace(APPROVED[0], image="sha256:0"),)}, None,
         "is not approved"),
    ],
)  # fmt: skip
def test_what_a_gate_misses(
    gate: Gate, changes: dict[str, Any], reproduced: ReproduceReport | None, missing: str
) -> None:
    result = judge(gate, replace(PACKAGE, **changes), reproduced)
    assert result.passed == (missing == "")
    assert len(result.missing) == (missing != "")
    assert all(missing in sentence for sentence in result.missing)


def test_a_level_that_there_is_not() -> None:
    with pytest.raises(InvalidError, match="no level 'L9'"):
        Gate("L9")


def test_metrics_are_what_cells_showed() -> None:
    content = notebook(
        {METRICS: {"accuracy": 0.5, "rows": 7, "ok": True, "name": "x", "nan": float("nan")}},
        {"text/plain": "0.9"},
        {METRICS: json.dumps({"accuracy": 0.75})},
        {METRICS: "no JSON"},
    )
    found = of_notebook("fit.ipynb", content)
    assert [(m.name, m.value, m.cell) for m in found] == [
        ("accuracy", 0.5, 1), ("rows", 7, 1), ("accuracy", 0.75, 3)
    ]  # fmt: skip
    assert {m.name: m.value for m in newest(found)} == {"accuracy": 0.75, "rows": 7}
    assert of_notebook("fit.ipynb", b"{}") == of_notebook("fit.ipynb", b"") == []


def as_the_hub_reads(card: str, matter: dict[str, Any]) -> str:
    """The text below the front matter, which must be this, in fields that the Hub knows."""
    read = ModelCard(card)
    assert read.data.to_dict() == matter
    assert set(matter) <= set(inspect.signature(ModelCardData).parameters)
    assert str(read) == card, "written back by the Hub's own library"
    text: str = read.text
    return text


@pytest.mark.docker
async def test_from_a_package_to_its_card(
    services: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    columns = [{"name": "a|b", "type": "float64", "missing": True}]
    made = await package(
        services,
        tiny_environment,
        tmp_path / "p",
        fit__ipynb=notebook({METRICS: {"accuracy": 0.75}}),
        schema__json=json.dumps({"input": {"type": "table", "columns": columns}, "output": {}}),
    )
    releasing = services.releasing
    before = await releasing.card(made.id)
    assert "It was not checked." in before and "Nobody has approved it." in before
    refused = await releasing.gate(made.id, Gate("L3", approval=True))
    assert not refused.passed and len(refused.missing) == 3

    await services.packaging.check(made.id, Recorder())
    with pytest.raises(InvalidError, match="Who approves"):
        await releasing.approve(made.id, " ")
    await releasing.approve(made.id, "ann")
    approved = await releasing.approve(made.id, "ann", "ticket 7")
    assert [(a.by, a.note, a.image) for a in approved.approvals] == [
        ("ann", "ticket 7", made.image)
    ]
    assert (await releasing.gate(made.name, Gate(approval=True))).passed

    card = await releasing.card(made.id)
    body = as_the_hub_reads(card, {"tags": ["jupyter-mlops", "pickle"], "metrics": ["accuracy"]})
    assert "| accuracy | 0.75 | fit.ipynb, cell 1 |" in body
    assert "only those who trust its author: model.pkl: loading it runs" in body
    assert "| a\\|b | float64 | yes |" in body
    assert tiny_environment.revision.base_image in body and "CPython 3." in body
    assert "of 18 checks passed" in body and "Same prediction as in the notebook" in body
    assert "| ann |" in body and "ticket 7" in body
    assert "The snapshot was not reproduced here." in body
    assert '{"instances": [[1000, 2.5], [0.1, 0.2]]}' in body
    await services.packaging.delete(made.id)
