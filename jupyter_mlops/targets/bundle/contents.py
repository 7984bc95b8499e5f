"""The small files of a bundle, as pure functions of what is known about the package.

Nothing in them belongs to one machine: no absolute path of it, no name of a user, no secret.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Any

from ..._version import __version__
from ...core.model_package import ContractReport, ModelPackage
from ...core.snapshot import Snapshot

_SHIPPED = Path(__file__).parent / "shipped"
_SUFFIXES = {
    "application/json": "json",
    "application/jsonlines": "jsonl",
    "text/csv": "csv",
    "application/x-npy": "npy",
    "application/x-npz": "npz",
    "application/x-parquet": "parquet",
    "text/plain": "txt",
}


@dataclass(frozen=True)
class Facts:
    """What the files of one bundle say."""

    package: ModelPackage
    snapshot: Snapshot
    deployment: str
    architecture: str
    image_size: int
    """Bytes, unpacked."""
    manifest: str
    """Digest of the image's manifest in the layout."""
    sbom: bytes
    request: bytes
    answer: bytes | None
    """The notebook's own; None where none was recorded."""


@dataclass(frozen=True)
class File:
    name: str
    content: str | bytes
    mode: int = 0o644


def image_ref(package: ModelPackage) -> str:
    """What engines call the image once it is loaded."""
    return f"mlops/{package.name}:{package.id}"


def files(facts: Facts) -> list[File]:
    """All files but the image, the model and the checksums."""
    package = facts.package
    request = f"sample/request.{_suffix(package.sample.content_type)}"
    answer = f"sample/answer.{_suffix(package.sample.accept)}"
    found = [
        File("README.md", readme(facts, request)),
        File("bundle.json", _json(_description(facts, request))),
        File("contract.json", _json(_report(package))),
        File("contract.md", report_text(package)),
        File("sbom.cdx.json", facts.sbom),
        File(request, facts.request),
        File("deploy.py", (_SHIPPED / "deploy.py").read_bytes(), 0o755),
        File("cloudformation.json", _json(template(facts))),
    ]
    if facts.answer is not None:
        found.append(File(answer, facts.answer))
    return found


def template(facts: Facts) -> dict[str, Any]:
    """The CloudFormation template, with what is known of this package filled in."""
    drawn: dict[str, Any] = json.loads((_SHIPPED / "cloudformation.json").read_text("utf-8"))
    package = facts.package
    drawn["Description"] = (
        f"{package.name}: model package {package.id} on Amazon SageMaker, written by "
        f"jupyter-mlops {__version__}"
    )
    drawn["Metadata"] = {"jupyter-mlops": _origin(facts)}
    drawn["Parameters"]["EndpointName"]["Default"] = facts.deployment
    for resource in drawn["Resources"].values():
        for tag in resource["Properties"]["Tags"]:
            tag["Value"] = {
                "io.jupyter-mlops.package": package.id,
                "io.jupyter-mlops.snapshot": facts.snapshot.id,
                "io.jupyter-mlops.image": package.image,
            }[tag["Key"]]
    return drawn


def readme(facts: Facts, request: str) -> str:
    package = facts.package
    text = Template((_SHIPPED / "README.md").read_text("utf-8"))
    return text.substitute(
        name=package.name,
        deployment=facts.deployment,
        package=package.id,
        snapshot=facts.snapshot.id,
        image=package.image,
        snapshot_image=facts.snapshot.image,
        manifest=facts.manifest,
        environment=f"{facts.snapshot.environment}, revision {facts.snapshot.revision}",
        created=package.created,
        version=__version__,
        ref=image_ref(package),
        architecture=facts.architecture,
        size=f"{facts.image_size / 1e6:.0f} MB",
        request=request,
        content_type=package.sample.content_type,
        accept=package.sample.accept,
        trust=_trust(package),
        verdict=_verdict(package.report, package.image),
    )


def report_text(package: ModelPackage) -> str:
    """The contract report for people."""
    report = package.report
    lines = [f"# Contract report of {package.name}", "", _verdict(report, package.image), ""]
    for note in report.notes if report else ():
        lines += [f"**{note}**", ""]
    for check in report.checks if report else ():
        mark = "passed" if check.passed else "FAILED"
        detail = f": {check.detail}" if check.detail else ""
        lines.append(f"- **{mark}** {check.title}{detail}")
        if not check.passed and check.hint:
            lines.append(f"  {check.hint}")
    return "\n".join(lines) + "\n"


def _verdict(report: ContractReport | None, image: str) -> str:
    if report is None or report.image != image:
        return "This image has not been checked against the serving contract."
    passed = sum(check.passed for check in report.checks)
    return (
        f"{passed} of {len(report.checks)} checks of the serving contract passed on "
        f"{report.created}, on the image {report.image}."
    )


def _report(package: ModelPackage) -> dict[str, Any]:
    report = package.report
    if report is None:
        return {"image": package.image, "checked": False, "passed": False, "checks": []}
    return {"checked": report.image == package.image, "passed": report.passed, **asdict(report)}


def _description(facts: Facts, request: str) -> dict[str, Any]:
    package = facts.package
    return {
        "schema": 1,
        "name": facts.deployment,
        "created": package.created,
        **_origin(facts),
        "image": {
            "file": "image.tar",
            "ref": image_ref(package),
            "id": package.image,
            "manifest": facts.manifest,
            "architecture": facts.architecture,
        },
        "model": {"file": "model.tar.gz", "digest": package.model},
        "sample": {
            "file": request,
            "content_type": package.sample.content_type,
            "accept": package.sample.accept,
        },
        "generator": f"jupyter-mlops {__version__}",
    }


def _origin(facts: Facts) -> dict[str, Any]:
    return {
        "package": facts.package.id,
        "package_name": facts.package.name,
        "snapshot": facts.snapshot.id,
        "snapshot_image": facts.snapshot.image,
        "package_image": facts.package.image,
    }


def _trust(package: ModelPackage) -> str:
    if not package.trusted_only:
        return ""
    return f"\n**Only for those who trust its maker:** {package.trust}\n"


def _suffix(content_type: str) -> str:
    return _SUFFIXES.get(content_type.partition(";")[0].strip(), "bin")


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
