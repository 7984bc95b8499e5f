"""A model card in Markdown, with the front matter of the Hugging Face Hub's model cards.

It says what is recorded, and of the rest that it is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.inventory import Inventory
from ..core.metrics import Metric
from ..core.model_package import Approval, ContractReport, ModelPackage
from ..core.reproduction import ReproduceReport
from ..core.snapshot import GitState, Snapshot

LIBRARIES = {
    "skops": "sklearn",
    "ONNX": "onnx",
    "XGBoost": "xgboost",
    "LightGBM": "lightgbm",
    "TorchScript": "pytorch",
    "PyTorch": "pytorch",
    "Keras": "keras",
    "CatBoost": "catboost",
    "MLflow": "mlflow",
}
"""The Hub's ``library_name`` by format, where the format says it."""
_SHOWN = 1500
"""Characters of the sample."""


@dataclass(frozen=True)
class CardFacts:
    """All that a card is made of."""

    package: ModelPackage
    snapshot: Snapshot
    inventory: Inventory
    metrics: Sequence[Metric]
    sample: bytes
    reproduced: ReproduceReport | None


def card(facts: CardFacts) -> str:
    package = facts.package
    parts = [
        _front_matter(facts),
        f"# {package.name}",
        _details(facts),
        _provenance(facts),
        _metrics(facts.metrics),
        _schema(package.schema),
        _use(facts),
        _report(package.report, package.image),
        _reproduction(facts.reproduced),
        _approvals(package.approvals, package.image),
        "## Intended use, data and limits\n\nNot recorded. Whoever hands this model on writes here "
        "what it is for, which data it has learned from, and where it must not be used.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(facts: CardFacts) -> str:
    import yaml

    package = facts.package
    matter: dict[str, Any] = {"tags": ["jupyter-mlops"]}
    if package.format:
        matter["tags"].append(package.format.lower())
    if package.format in LIBRARIES:
        matter["library_name"] = LIBRARIES[package.format]
    if facts.metrics:
        matter["metrics"] = [metric.name for metric in facts.metrics]
    return f"---\n{yaml.safe_dump(matter, sort_keys=False, allow_unicode=True)}---"


def _table(head: tuple[str, ...], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _details(facts: CardFacts) -> str:
    package = facts.package
    trust = f"only those who trust its author: {package.trust}" if package.trust else "anyone"
    handler = f"{package.handler.path} {package.handler.function}".strip()
    rows = [
        ("Package", f"`{package.id}`, made {package.created} by {package.owner}"),
        ("Model", f"{', '.join(package.model_files)} ({package.model_size} bytes packed)"),
        ("Format", package.format or "its handler's own"),
        ("May be loaded by", trust),
        ("Answers requests", handler or "the model's own predict"),
        ("Image", f"`{package.image}`"),
        ("Model archive", f"`{package.model}`"),
    ]
    return _table(("what", "which"), rows)


def _provenance(facts: CardFacts) -> str:
    snapshot, inventory = facts.snapshot, facts.inventory
    git = snapshot.workspace.git
    rows = [
        ("Snapshot", f"{snapshot.name} (`{snapshot.id}`), {snapshot.created}"),
        ("Environment", f"{snapshot.environment}, revision {snapshot.revision}"),
        ("Installed since", snapshot.drift.summary()),
        ("Base image", f"`{snapshot.base_image}`"),
        ("System", f"{inventory.os}, {inventory.arch}"),
        ("Python", f"{inventory.implementation} {inventory.python}"),
        ("R", inventory.r),
        ("Notebooks", ", ".join(snapshot.workspace.notebooks)),
        ("Git", _git(git) if git else "not under version control"),
        ("Packages", f"{len(inventory.packages)}, all in the snapshot's inventory and SBOM"),
    ]
    return "## How it was made\n\n" + _table(("what", "which"), [row for row in rows if row[1]])


def _git(git: GitState) -> str:
    dirty = ", with changes not committed" if git.dirty else ""
    return f"{git.remote} {git.commit}{dirty}".strip()


def _metrics(metrics: Sequence[Metric]) -> str:
    if not metrics:
        return "## Metrics\n\nNone were logged in the notebooks."
    rows = [(m.name, f"{m.value:g}", f"{m.notebook}, cell {m.cell}") for m in metrics]
    return "## Metrics\n\nAs the notebooks logged them.\n\n" + _table(
        ("metric", "value", "logged in"), rows
    )


def _schema(schema: Mapping[str, Any]) -> str:
    if not schema:
        return ""
    parts = ["## Input and output"]
    for side in ("input", "output"):
        found = schema.get(side) or {}
        if found.get("type") == "table":
            rows = [
                (c["name"], c["type"], "yes" if c.get("missing") else "no")
                for c in found.get("columns", ())
            ]
            parts += [f"The {side} is a table.", _table(("column", "type", "may be missing"), rows)]
        elif found:
            parts.append(f"The {side}: `{json.dumps(found)}`.")
    return "\n\n".join(parts)


def _use(facts: CardFacts) -> str:
    package = facts.package
    text = facts.sample[:_SHOWN].decode("utf-8", "replace")
    binary = "\ufffd" in text or len(facts.sample) > _SHOWN
    sample = (
        f"The recorded sample has {len(facts.sample)} bytes of {package.sample.content_type}."
        if binary
        else f"A request, as `{package.sample.content_type}`:\n\n```\n{text.strip()}\n```"
    )
    return (
        "## Ask it\n\nThe container answers `POST /invocations` on port 8080, with the model's "
        "files at `/opt/ml/model`:\n\n```\n"
        f"docker run --rm -p 8080:8080 -v MODEL_FOLDER:/opt/ml/model:ro {package.ref} serve\n"
        "```\n\n" + sample
    )


def _report(report: ContractReport | None, image: str) -> str:
    title = "## Contract report\n\n"
    if report is None:
        return title + "It was not checked."
    passed = sum(check.passed for check in report.checks)
    old = "" if report.image == image else " Of an image that was made before this one."
    rows = [("yes" if c.passed else "**no**", c.title, c.detail) for c in report.checks]
    text = f"{passed} of {len(report.checks)} checks passed, {report.created}.{old}"
    return f"{title}{text}\n\n" + _table(("passed", "check", "what was seen"), rows)


def _reproduction(report: ReproduceReport | None) -> str:
    title = "## Reproduction\n\n"
    if report is None:
        return title + "The snapshot was not reproduced here."
    rows = [
        (level.level, level.title, "yes" if level.passed else "**no**", level.detail)
        for level in report.levels
    ]
    return f"{title}{report.verdict()} {report.created}.\n\n" + _table(
        ("level", "what", "passed", "what was seen"), rows
    )


def _approvals(approvals: Sequence[Approval], image: str) -> str:
    given = [approval for approval in approvals if approval.image == image]
    if not given:
        return "## Approval\n\nNobody has approved it."
    rows = [(approval.by, approval.at, approval.note) for approval in given]
    return "## Approval\n\n" + _table(("by", "when", "note"), rows)
