"""The contract: images from a Dockerfile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from secrets import token_hex

import pytest

from jupyter_mlops.core.errors import BuildFailedError
from jupyter_mlops.core.ports import ContainerSpec, Engine
from tests.parts.waiting import wait_until

from .conftest import LABELS

GOOD = """# A comment
ARG GREETING
FROM mlops/test/tiny:latest
ARG http_proxy
COPY . /data/
RUN echo "hello of $http_proxy" && \\
    mkdir /data/made
"""


async def build(engine: Engine, folder: Path, text: str, ref: str, log: list[str]) -> str:
    (folder / "Dockerfile").write_text(text)
    arguments = {"http_proxy": "http://proxy.example"}
    return await engine.build_image(folder, "Dockerfile", ref, LABELS, arguments, log.append)


async def left(engine: Engine, mark: str) -> int:
    """Images and containers, those of single steps too, that were made after ``LABEL mark``."""
    labels = {"mark": mark}
    return len(await engine.images(labels)) + len(await engine.list(labels))


class BuildContract:
    async def test_a_dockerfile_makes_an_image(
        self, engine: Engine, tiny: str, tmp_path: Path
    ) -> None:
        (tmp_path / "kept").write_text("1")
        (tmp_path / "ignored").write_text("2")
        (tmp_path / ".dockerignore").write_text("# not these\nignored\n")
        ref, log = f"mlops/test/built:{token_hex(4)}", []
        image = await build(engine, tmp_path, GOOD, ref, log)
        found = await engine.image(ref)
        assert found is not None and found.id == image
        assert LABELS.items() <= found.labels.items()
        assert not [key for key in found.environment if "proxy" in key]
        text = "\n".join(log)
        assert "hello of http://proxy.example" in text and "FROM mlops/test/tiny" in text
        spec = ContainerSpec(image, f"mlops-test-{token_hex(4)}", LABELS, command=("ls", "/data"))
        container = await engine.create(spec)
        await engine.start(container)
        assert await engine.wait(container) == 0
        names = (await engine.logs(container)).split()
        assert {"kept", "made"} <= set(names) and "ignored" not in names
        await engine.remove(container)
        await engine.remove_image(ref)
        assert await engine.image(ref) is None

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "\n# say why\nRUN echo it is broken && \\\n  exit 7\n",
                ["(line 5) failed: RUN echo it is broken", "7", "It said:", "it is broken"],
            ),
            ("RUNN echo\n", ["RUNN"]),
            ("COPY nothing /data/\n", ["(line 3) failed", "nothing"]),
        ],
    )
    async def test_the_failing_line_is_named(
        self, engine: Engine, tiny: str, tmp_path: Path, text: str, said: list[str]
    ) -> None:
        mark = token_hex(4)
        text = f"FROM mlops/test/tiny:latest\nLABEL mark={mark}\n{text}"
        with pytest.raises(BuildFailedError) as error:
            await build(engine, tmp_path, text, f"mlops/test/built:{mark}", [])
        for part in said:
            assert part in error.value.message
        assert await left(engine, mark) == 0

    async def test_a_cancelled_build_leaves_nothing(
        self, engine: Engine, tiny: str, tmp_path: Path
    ) -> None:
        mark = token_hex(4)
        text = (
            f"FROM mlops/test/tiny:latest\nLABEL mark={mark}\nRUN echo {mark}\n"
            "RUN echo begun; sleep 600\n"
        )
        log: list[str] = []
        ref = f"mlops/test/built:{mark}"
        task = asyncio.create_task(build(engine, tmp_path, text, ref, log))
        await wait_until(lambda: "begun" in map(str.strip, log), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await engine.image(ref) is None

        # The engine ends its container when it sees that nobody listens any more.
        async def nothing_is_left() -> bool:
            return await left(engine, mark) == 0

        await wait_until(nothing_is_left, 60)
