"""Every check has an image that breaks it and nothing else, and says what to do then."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest
from traitlets.config import Config

from jupyter_mlops.core.layout import ENV_PREFIX, LABEL_KIND, LABEL_OWNER
from jupyter_mlops.core.model_package import ContractReport, ModelPackage
from jupyter_mlops.core.ports import ContainerSpec, ImageConfig
from jupyter_mlops.services.assembling import archive
from jupyter_mlops.services.contract import Contract
from jupyter_mlops.services.contract_checks import ending, requesting

from ..parts.projects import package
from ..parts.services import Recorder, Tiny, open_services, run_apart

pytestmark = pytest.mark.docker

SERVER = "/opt/faulty.py"
PYTHON = f"{ENV_PREFIX}/bin/python"
SOURCE = Path(__file__).parents[1] / "parts" / "faulty_server.py"
CONTAINER = f"tests-faults-{os.getpid()}"


@dataclass(frozen=True)
class Fault:
    """An image and what its report must say of it."""

    check: str
    detail: str
    hint: str
    server: str = ""
    """What the server does wrong."""
    image: dict[str, Any] = field(default_factory=dict)
    """What of the image's configuration is wrong."""
    rewritten: dict[str, Any] = field(default_factory=dict)
    """What no commit can make: ``architecture``, or an ``Entrypoint`` that is none."""
    added: int = 0
    """Bytes of one more file."""
    also: frozenset[str] = frozenset()
    """Checks that cannot pass then."""


HEALTHY = Fault("", "", "")
STOPPED = frozenset({"sigterm"})
FAULTS = {
    "another processor": Fault(
        "architecture", "the image is for arm64", "on an amd64 machine",
        rewritten={"architecture": "arm64"},
    ),
    "a shell line": Fault(
        "entrypoint", f"/bin/sh -c exec {PYTHON}", "must be a program in exec form",
        image={"entrypoint": ("/bin/sh", "-c", f"exec {PYTHON} {SERVER} none serve")},
    ),
    "no entry point": Fault(
        "entrypoint", "has no entry point", "must be a program in exec form",
        rewritten={"Entrypoint": None}, also=frozenset({"starts", "sigterm"}),
    ),
    "a user": Fault(
        "user", "user: 1000", "SageMaker cannot start images with a USER line",
        image={"user": "1000"},
    ),
    "a large layer": Fault(
        "layer", "has 1953 KiB", "should have less than 1 MiB", added=2_000_000
    ),
    "a secret": Fault(
        "secrets", "AWS_SECRET_ACCESS_KEY", "Remove them from the environment's variables",
        image={
            "environment": {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz"}
        },
    ),
    "no model": Fault(
        "starts", "No module named 'surely_not_there'", "Install the package in the kernel",
        server="no model",
    ),
    "no network": Fault(
        "starts", "name resolution", "has no network", server="no network"
    ),
    "it ends": Fault(
        "starts", "ended with code 1; its last lines:\nno licence", "Correct what the message says",
        server="ends", also=STOPPED,
    ),
    "a program that is not there": Fault(
        "starts", "could not be started", "starts a program that the image has",
        image={"entrypoint": ("/opt/not-there",)}, also=STOPPED,
    ),
    "a slow probe": Fault(
        "ping", "answered 200 in 25", "should answer at once", server="slow probe"
    ),
    "an error": Fault(
        "invocations", "500: KeyError: 'weight'", "Correct what the message says",
        server="fails", also=frozenset({"same_prediction", "bad_input", "empty_body", "size",
                                        "content_type"}),
    ),
    "a request that calls out": Fault(
        "invocations", "name resolution", "has no network",
        server="calls out", also=frozenset({"same_prediction", "bad_input", "empty_body", "size",
                                            "content_type"}),
    ),
    "an answer that is too long": Fault(
        "invocations", "answered with 26.0 MB", "SageMaker passes on 25 MB at most",
        server="long answers", also=frozenset({"same_prediction", "forms"}),
    ),
    "another prediction": Fault(
        "same_prediction", "expected 3, got 4 at [0]", "in one run of the notebook",
        server="other prediction",
    ),
    "500 for bad input": Fault(
        "bad_input", "500: RuntimeError: oops", "raise ValueError", server="bad input"
    ),
    "500 for an unknown type": Fault(
        "content_type", "500: RuntimeError: oops", "look at content_type", server="unknown type"
    ),
    "500 for nothing": Fault(
        "empty_body", "500: RuntimeError: oops", "when the body is empty", server="empty body"
    ),
    "other answers to CSV": Fault(
        "forms", "text/csv: expected 3, got 4 at [0]", "Let input_fn read these",
        server="other form",
    ),
    "no CSV": Fault("forms", "text/csv: 415: no CSV", "Let input_fn read these", server="no CSV"),
    "small requests only": Fault(
        "size", "6 MB: 413", "Requests of 6 MB are usual", server="small requests"
    ),
    "requests of any size": Fault(
        "size", "more than allowed: 200", "should refuse oversized requests", server="any size"
    ),
    "no parameters": Fault(
        "batch", "404: nothing here", "/execution-parameters", server="no parameters"
    ),
    "no metrics": Fault("metrics", "404: nothing here", "/metrics", server="no metrics"),
    "no probes while it works": Fault(
        "ping_busy", "probes failed: TimeoutError", "use fewer threads", server="busy"
    ),
    "it writes": Fault(
        "writes", "tried to write to /opt/cache", "Write below /tmp", server="writes"
    ),
    "it does not stop": Fault(
        "sigterm", "ended with code 137 after 6.", "look for signal handlers",
        server="ignores SIGTERM",
    ),
    "it stops with an error": Fault(
        "sigterm", "ended with code 1 after 0.", "look for signal handlers", server="code"
    ),
}  # fmt: skip


def labels(services: Any) -> dict[str, str]:
    return {LABEL_KIND: "package", LABEL_OWNER: services.settings.owner}


def settings(services: Any, fault: Fault, tag: str) -> ImageConfig:
    said: dict[str, Any] = {
        "labels": labels(services),
        "entrypoint": (PYTHON, SERVER, fault.server or "none"),
        "command": ("serve",),
        "tag": tag,
    }
    return ImageConfig(**(said | fault.image))


async def broken(services: Any, base: ModelPackage, fault: Fault, tag: str) -> ModelPackage:
    """A package whose image has the fault: the shared one with another configuration."""
    engine = await services.engines.engine()
    image = await engine.commit(CONTAINER, settings(services, fault, tag))
    size = base.layer_size
    if fault.added:
        before, name = (await engine.image(image)).size, f"{CONTAINER}-large"
        await engine.create(ContainerSpec(image=image, name=name, labels=labels(services)))
        try:
            await engine.put_archive(name, "/", archive({"/opt/large": bytes(fault.added)}))
            image = await engine.commit(name, settings(services, fault, tag))
        finally:
            await engine.remove(name)
        size = (await engine.image(image)).size - before
    if fault.rewritten:
        image = rewritten(image, tag, fault.rewritten)
    return replace(base, image=image, layer_size=size)


def rewritten(image: str, tag: str, changes: dict[str, Any]) -> str:
    """The same layers, which the engine has, below a configuration that says otherwise."""
    client = docker.from_env()
    try:
        found = client.api.inspect_image(image)
        layers = found["RootFS"]["Layers"]
        config = {
            "architecture": changes.get("architecture", found["Architecture"]),
            "os": "linux",
            "config": {
                key: changes.get(key, found["Config"][key])
                for key in ("Entrypoint", "Cmd", "Env", "Labels")
            },
            "rootfs": {"type": "layers", "diff_ids": layers},
        }
        names = [f"{layer.partition(':')[2]}.tar" for layer in layers]
        manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": names}]
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, content in (("config.json", config), ("manifest.json", manifest)):
                data = json.dumps(content).encode()
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return str(client.images.load(buffer.getvalue())[0].id)
    finally:
        client.close()


@pytest.fixture(scope="module")
def base(
    services_config: Config, tiny_environment: Tiny, tmp_path_factory: Any
) -> Iterator[ModelPackage]:
    """A package, and a container of its image with the faulty server, which is never started."""

    async def make() -> ModelPackage:
        services = open_services(services_config)
        try:
            made = await package(
                services, tiny_environment, tmp_path_factory.mktemp("faults") / "p",
                inference__py="def predict_fn(rows, model): return [sum(row) for row in rows]\n",
                sample__json="[[1, 2], [3, 4]]", prediction__json="[3, 7]",
                rows__csv="1,2\n3,4\n", also=("rows.csv",),
            )  # fmt: skip
            engine = await services.engines.engine()
            spec = ContainerSpec(image=made.image, name=CONTAINER, labels=labels(services))
            await engine.create(spec)
            await engine.put_archive(CONTAINER, "/", archive({SERVER: SOURCE.read_bytes()}))
            return made
        finally:
            await services.close()

    async def remove(made: ModelPackage) -> None:
        services = open_services(services_config)
        try:
            await (await services.engines.engine()).remove(CONTAINER)
            await services.packaging.delete(made.id)
        finally:
            await services.close()

    made = run_apart(make())
    yield made
    run_apart(remove(made))


@pytest.fixture(scope="module")
def reports(services_config: Config, base: ModelPackage) -> dict[str, ContractReport]:
    """Of each fault, and of none, by name; a few at once, since most of a check is waiting."""
    limit = asyncio.Semaphore(3)

    async def check(services: Any, number: int, fault: Fault) -> ContractReport:
        contract = Contract(
            settings=services.settings, engines=services.engines, blobs=services.blobs,
            start_limit=30.0,
        )  # fmt: skip
        tag = f"mlops/test/fault-{os.getpid()}-{number}:latest"
        async with limit:
            try:
                return await contract.check(await broken(services, base, fault, tag), Recorder())
            finally:
                await (await services.engines.engine()).remove_image(tag, force=True)

    async def all_of() -> list[ContractReport]:
        services = open_services(services_config)
        try:
            faults = [HEALTHY, *FAULTS.values()]
            return await asyncio.gather(*(check(services, *item) for item in enumerate(faults)))
        finally:
            await services.close()

    with pytest.MonkeyPatch.context() as patch:
        # Waiting longer would prove no more.
        patch.setattr(ending, "GRACE", 6.0)
        patch.setattr(requesting, "BUSY_SECONDS", 0.5)
        return dict(zip(["", *FAULTS], run_apart(all_of()), strict=True))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_its_own_check(name: str, reports: dict[str, ContractReport]) -> None:
    fault = FAULTS[name]
    found = {check.name: check for check in reports[name].checks if not check.passed}
    assert found.keys() == {fault.check, *fault.also}, found
    assert fault.detail in found[fault.check].detail
    assert fault.hint in found[fault.check].hint
    assert all(check.hint for check in found.values())


def test_every_check_has_a_fault(reports: dict[str, ContractReport]) -> None:
    """A check that nothing fails proves nothing."""
    healthy = reports[""]
    assert healthy.passed, [check for check in healthy.checks if not check.passed]
    assert {check.name for check in healthy.checks} == {fault.check for fault in FAULTS.values()}
