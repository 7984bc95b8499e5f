"""What an operation looks like while it runs."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from jupyter_mlops.cli.progress import LineProgress, LiveProgress
from jupyter_mlops.core.operation import Operation, OperationError, OperationState, Phase

RUNNING = Operation(
    id="o-1", kind="build", subject="churn", state=OperationState.RUNNING, created="2026-01-01"
)
RESOLVE = Phase("resolve", "2026-01-01", 1.25)
PYTHON = Phase("python", "2026-01-01")


def steps() -> list[Operation]:
    first = replace(RUNNING, phase="resolve", phases=(replace(RESOLVE, seconds=None),))
    second = replace(RUNNING, phase="python", phases=(RESOLVE, PYTHON), message="Installing")
    third = replace(second, progress=0.5)
    return [RUNNING, first, second, third]


def failed() -> Operation:
    return replace(
        steps()[-1],
        state=OperationState.FAILED,
        phases=(RESOLVE, replace(PYTHON, seconds=2.0)),
        error=OperationError("build_failed", "pandas could not be installed"),
    )


def succeeded() -> Operation:
    return replace(failed(), state=OperationState.SUCCEEDED, error=None)


@pytest.mark.parametrize("terminal", [True, False])
def test_each_phase_ends_with_its_time(terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, highlight=False)
    with (LiveProgress if terminal else LineProgress)(console) as progress:
        for operation in (*steps(), succeeded()):
            progress.changed(operation, None)
    said = out.getvalue()
    lines = [line for line in console_text(said) if line]
    if terminal:
        assert any("✓ resolve  1.2 s" in line for line in lines)
        assert any("✓ python  2.0 s" in line for line in lines)
    else:
        assert lines == [
            "resolve: …",
            "resolve: done in 1.2 s",
            "python: Installing",
            "python: done in 2.0 s",
        ]


@pytest.mark.parametrize("terminal", [True, False])
def test_after_a_failure_the_end_of_the_log_is_shown(terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, highlight=False)
    with (LiveProgress if terminal else LineProgress)(console) as progress:
        for operation in steps():
            progress.changed(operation, None)
        for number in range(40):
            progress.changed(steps()[-1], f"line {number}\nhalf of the ")
            progress.changed(steps()[-1], "next\n")
        progress.changed(failed(), None)
    said = "\n".join(console_text(out.getvalue()))
    assert "jupyter mlops operation log o-1" in said
    assert "line 39" in said
    assert "half of the next" in said
    assert "line 5\n" not in said


def console_text(said: str) -> list[str]:
    """Without the codes that move the cursor and colour."""
    import re

    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).replace("\r", "\n").split("\n")
