"""What can be said of a package's image without running it."""

from __future__ import annotations

from ...core.layout import ENV_PREFIX
from ...core.model_package import Check, ModelPackage
from ...core.ports import Image
from ...core.secret_rules import search

LAYER_LIMIT = 1024 * 1024
_SHELLS = ("sh", "bash", "dash", "ash", "zsh")


def checks(image: Image, package: ModelPackage) -> list[Check]:
    return [
        _architecture(image),
        _entrypoint(image),
        _user(image),
        _layer(package),
        _secrets(image),
    ]


def _architecture(image: Image) -> Check:
    found = image.architecture
    return Check(
        "architecture",
        "Made for the processors SageMaker has (amd64)",
        found in ("amd64", "x86_64"),
        f"the image is for {found}",
        "" if found in ("amd64", "x86_64") else "Build the environment on an amd64 machine: batch "
        "transform and most endpoints have no other processors.",
    )  # fmt: skip


def _entrypoint(image: Image) -> Check:
    entry = image.entrypoint
    shell = bool(entry) and entry[0].rpartition("/")[2] in _SHELLS
    passed = bool(entry) and not shell
    return Check(
        "entrypoint",
        "Takes SageMaker's word `serve`",
        passed,
        f"entry point: {' '.join(entry)}" if entry else "the image has no entry point",
        ""
        if passed
        else "Make the package again: its entry point must be a program in exec form, "
        f"as {ENV_PREFIX}/bin/python …, not a shell line.",
    )


def _user(image: Image) -> Check:
    passed = image.user in ("", "0", "root", "0:0", "root:root")
    return Check(
        "user",
        "Runs as root, as SageMaker expects",
        passed,
        f"user: {image.user or 'root'}",
        "" if passed else "Make the package again: SageMaker cannot start images with a USER line.",
    )


def _layer(package: ModelPackage) -> Check:
    passed = package.layer_size <= LAYER_LIMIT
    return Check(
        "layer",
        "Adds little to the snapshot's image",
        passed,
        f"the serving layer has {package.layer_size / 1024:.0f} KiB",
        "" if passed else "Report this: the serving layer should have less than 1 MiB.",
    )


def _secrets(image: Image) -> Check:
    found = sorted(
        name
        for name, value in image.environment.items()
        if any(True for _ in search(f"{name}={value}".encode()))
    )
    return Check(
        "secrets",
        "Holds no secret in its variables",
        not found,
        f"these look like secrets: {', '.join(found)}"
        if found
        else f"{len(image.environment)} variables, none looks like a secret",
        "Whoever has the image can read them. Remove them from the environment's variables, build "
        "it anew, and set them where the model is deployed."
        if found
        else "",
    )
