"""The example that newcomers meet first. Running it is the demo's business."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "diabetes"


def test_it_comes_without_outputs_and_with_its_kernel() -> None:
    notebook = nbformat.read(EXAMPLE / "train.ipynb", 4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "mlops-diabetes"
    for cell in notebook.cells:
        assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)


def test_it_installs_exactly_one_package() -> None:
    notebook = nbformat.read(EXAMPLE / "train.ipynb", 4)
    installs = [cell.source for cell in notebook.cells if "%pip" in cell.source]
    assert installs == ["%pip install -q humanize"]


def test_its_handler_has_the_four_functions() -> None:
    tree = ast.parse((EXAMPLE / "inference.py").read_text())
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert names == ["model_fn", "input_fn", "predict_fn", "output_fn"]
