"""The contract, part three: images and commits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.errors import ConflictError, EngineError, InvalidError, NotFoundError
from jupyter_mlops.core.layout import LABEL_ENVIRONMENT, LABEL_KERNEL, LABEL_KIND, LABEL_OWNER
from jupyter_mlops.core.ports import Engine, ImageConfig, Mount
from tests.parts.engines import CACHE, OWNER

from .conftest import LABELS, Make

NASTY = "a \"b\" 'c' $HOME ${PATH} \\ \\n `d` #e é"


class ImageContract:
    async def test_images_are_found(self, engine: Engine, tiny: str) -> None:
        image = await engine.image(tiny)
        assert image is not None and image.id == tiny and image.id.startswith("sha256:")
        assert image.tags == ("mlops/test/tiny:latest",)
        assert image == await engine.image("mlops/test/tiny:latest")
        assert image.environment == {"PATH": "/bin"} and image.command[0] == "sleep"
        assert len(image.layers) == 1 and image.layers[0].startswith("sha256:")
        assert image.architecture and image.size > 1_000_000 and image.created.endswith("+00:00")
        assert await engine.image("mlops/test/nothing:1") is None
        assert await engine.image(f"sha256:{'0' * 64}") is None

    async def test_import(self, engine: Engine, tiny: str, tmp_path: Path) -> None:
        config = ImageConfig(
            labels={**LABELS, "note": NASTY},
            environment={"PATH": "/bin", "NASTY": NASTY},
            entrypoint=("echo", "it is"),
            command=("now", 'a "quoted" word'),
            workdir="/data",
            user="12:34",
        )
        ref = "mlops/test/imported:r1"
        image = await engine.import_image(CACHE / "tiny.tar", ref, config)
        found = await engine.image(ref)
        assert found is not None and found.id == image and found.tags == (ref,)
        assert found.labels["note"] == NASTY and found.environment["NASTY"] == NASTY
        assert found.entrypoint == ("echo", "it is") and found.user == "12:34"
        assert found.command == ("now", 'a "quoted" word')
        broken = tmp_path / "broken.tar"
        broken.write_bytes(b"this is no tar" * 1000)
        with pytest.raises(EngineError):
            await engine.import_image(broken, "mlops/test/broken:1", config)
        with pytest.raises(NotFoundError):
            await engine.import_image(tmp_path / "no.tar", "mlops/test/broken:1", config)
        await engine.remove_image(ref)

    async def test_labels_select(self, engine: Engine, tiny: str) -> None:
        refs = []
        for number in (1, 2):
            labels = {**LABELS, LABEL_KIND: "base", LABEL_ENVIRONMENT: f"e{number}"}
            refs.append(f"mlops/test/labelled:r{number}")
            await engine.import_image(CACHE / "tiny.tar", refs[-1], ImageConfig(labels=labels))

        async def tags(**labels: str) -> set[str]:
            wanted = {LABEL_OWNER: OWNER, LABEL_KIND: "base", **labels}
            return {tag for image in await engine.images(wanted) for tag in image.tags}

        assert await tags() == set(refs)
        assert await tags(**{LABEL_ENVIRONMENT: "e2"}) == {refs[1]}
        assert await tags(**{LABEL_ENVIRONMENT: ""}) == set(refs)
        assert await tags(**{LABEL_KERNEL: ""}) == set()
        for ref in refs:
            await engine.remove_image(ref)

    async def test_commit(self, engine: Engine, make: Make, tmp_path: Path) -> None:
        container = await make(
            "sh",
            "-c",
            "while true; do sleep 0.1; done",
            labels={**LABELS, LABEL_KERNEL: "k1", LABEL_ENVIRONMENT: "e1"},
            environment={"PATH": "/bin", "PUBLIC": "yes"},
            user="1234:1234",
            groups=("0",),
            mounts=(Mount(str(tmp_path), "/home/alice/project"),),
            tmpfs={"/tmp": "exec,mode=1777", "/run": "mode=1777"},
        )
        await engine.exec(
            container,
            [
                "sh",
                "-c",
                "echo kept > /data/new; echo x > /tmp/gone; echo x > /run/gone; "
                "echo x > /home/alice/project/gone",
            ],
            user="0:0",
        )
        image = await engine.commit(
            container,
            ImageConfig(
                labels={LABEL_KIND: "snapshot", LABEL_OWNER: OWNER, "note": NASTY},
                environment={"NASTY": NASTY},
                tag="mlops/test/committed:latest",
            ),
        )
        found = await engine.image("mlops/test/committed:latest")
        assert found is not None and found.id == image
        assert found.labels[LABEL_KIND] == "snapshot" and found.labels["note"] == NASTY
        # What the image is not any more cannot be removed, but reads as nothing.
        assert not found.labels.get(LABEL_KERNEL) and not found.labels.get(LABEL_ENVIRONMENT)
        assert await engine.images({LABEL_OWNER: OWNER, LABEL_KERNEL: ""}) == []
        assert found.environment.items() >= {"PUBLIC": "yes", "NASTY": NASTY}.items()
        assert (found.user, found.entrypoint, found.command) == ("0:0", (), ("/bin/sh",))
        raw: Any = engine
        config = (await raw.connection.call(lambda client: client.inspect_image(image)))["Config"]
        assert not config.get("Volumes") and config.get("WorkingDir") in ("", "/", None)
        again = await make(image=image, command=("sleep", "1000"))
        script = "cat /data/new; ls /tmp /run /home/alice/project | grep gone; id -u"
        assert await engine.exec(again, ["sh", "-c", script]) == (0, "kept\n0\n")
        await engine.remove(again)
        await engine.remove_image("mlops/test/committed:latest")

    async def test_a_commit_sets_what_it_is_told(self, engine: Engine, make: Make) -> None:
        container = await make(entrypoint=("sh", "-c"), command=("sleep 1000",))
        image = await engine.commit(
            container,
            ImageConfig(
                labels=LABELS,
                user="0:0",
                workdir="/data",
                entrypoint=("echo", "a b"),
                command=("c", 'd "e"'),
            ),
        )
        found = await engine.image(image)
        assert found is not None and found.tags == () and found.user == "0:0"
        assert (found.entrypoint, found.command) == (("echo", "a b"), ("c", 'd "e"'))
        container = await make(image=image, command=("f",))
        assert await engine.wait(container) == 0
        assert await engine.logs(container) == "a b f\n"
        # A container can do without the image's entry point.
        container = await make(image=image, entrypoint=(), command=("echo", "plain"))
        assert await engine.wait(container) == 0
        assert await engine.logs(container) == "plain\n"
        with pytest.raises(InvalidError):
            await engine.commit(container, ImageConfig(labels={"x": "two\nlines"}))
        for left in await engine.list(LABELS):
            await engine.remove(left.id)
        await engine.remove_image(image)

    async def test_a_commit_does_not_stop_the_work(self, engine: Engine, make: Make) -> None:
        container = await make(
            "sh", "-c", "while true; do cut -d' ' -f1 /proc/uptime; sleep 0.02; done"
        )
        await engine.exec(container, ["sh", "-c", "dd if=/dev/zero of=/data/x bs=1M count=60"])
        before = len((await engine.logs(container, tail=100_000)).splitlines())
        image = await engine.commit(container, ImageConfig(labels=LABELS))
        times = [float(t) for t in (await engine.logs(container, tail=100_000)).split()]
        gaps = [b - a for a, b in zip(times[before:], times[before + 1 :], strict=False)]
        assert max(gaps, default=0) < 1.0
        await engine.remove_image(image)

    async def test_a_cancelled_commit_leaves_nothing(self, engine: Engine, make: Make) -> None:
        container = await make()
        task = asyncio.ensure_future(
            engine.commit(container, ImageConfig(labels=LABELS, tag="mlops/test/half:1"))
        )
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await engine.image("mlops/test/half:1") is None

    async def test_tags_come_and_go(self, engine: Engine, make: Make, tiny: str) -> None:
        await engine.tag(tiny, "mlops/test/other:r1")
        found = await engine.image("mlops/test/other:r1")
        assert found is not None and found.id == tiny and "mlops/test/other:r1" in found.tags
        await engine.remove_image("mlops/test/other:r1")
        await engine.remove_image("mlops/test/other:r1")
        assert await engine.image("mlops/test/other:r1") is None
        assert await engine.image(tiny) is not None
        with pytest.raises(NotFoundError):
            await engine.tag("mlops/test/nothing:1", "mlops/test/other:r1")

    async def test_images_in_use_stay(self, engine: Engine, make: Make) -> None:
        image = await engine.import_image(
            CACHE / "tiny.tar",
            "mlops/test/used:1",
            ImageConfig(labels=LABELS, environment={"PATH": "/bin"}, command=("sleep", "1")),
        )
        await make(image=image)
        with pytest.raises(ConflictError, match="in use"):
            await engine.remove_image(image)
        for left in await engine.list(LABELS):
            await engine.remove(left.id)
        await engine.remove_image(image)
        assert await engine.image(image) is None
