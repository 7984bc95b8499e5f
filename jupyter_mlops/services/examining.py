"""Whether a handler can work in a snapshot's image, found out before anything is built."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import anyio.to_thread

from ..core.errors import EngineError, InvalidError
from ..core.handlers import INFERENCE_FUNCTIONS, LOADED_SUFFIXES
from ..core.layout import ENV_PREFIX, LABEL_KIND, LABEL_OWNER
from ..core.model_package import Handler
from ..core.ports import ContainerSpec, Engine
from .assembling import GUEST
from .package_files import PackageFiles, code_tar
from .temporary_containers import remove_temporary, temporary_name

_FOLDER = "mlops-examine"


async def examine(
    engine: Engine, image: str, files: PackageFiles, handler: Handler, owner: str
) -> list[str]:
    """Read the handler with the image's own Python; returns the modules of the project it uses.

    Only the image knows which syntax its Python reads and which import names its packages have.
    Raises InvalidError that names what is missing.
    """
    answer = await _ask(engine, image, files, owner)
    if answer["error"]:
        raise InvalidError(
            f"The handler cannot be read: {answer['error']}.", "Correct the file and freeze again."
        )
    _check_functions(handler, answer["functions"], files)
    _check_modules(handler, answer["missing"])
    return list(answer["used"])


async def _ask(engine: Engine, image: str, files: PackageFiles, owner: str) -> dict[str, Any]:
    script = (GUEST / "examine.py").read_text()
    name = temporary_name("probe")
    spec = ContainerSpec(
        image=image,
        name=name,
        labels={LABEL_KIND: "probe", LABEL_OWNER: owner},
        entrypoint=(f"{ENV_PREFIX}/bin/python",),
        command=("-I", "-B", "-c", script, f"/{_FOLDER}", files.handler),
        tmpfs={"/tmp": "mode=1777"},
        network="none",
        user="0:0",
    )
    try:
        container = await engine.create(spec)
        tar = await anyio.to_thread.run_sync(code_tar, files, _FOLDER)
        await engine.put_archive(container, "/", tar)
        await engine.start(container)
        code = await engine.wait(container)
        said = (await engine.logs(container)).strip()
    finally:
        await remove_temporary(engine, name)
    last = said.rpartition("\n")[2]
    try:
        answer: dict[str, Any] = json.loads(last)
    except ValueError:
        raise EngineError(
            f"The handler could not be looked at in the image (exit code {code}): {last[:200]}",
            f"The image needs Python 3.8 or later at {ENV_PREFIX}/bin/python.",
        ) from None
    return answer


def _check_functions(handler: Handler, defined: Sequence[str], files: PackageFiles) -> None:
    if handler.kind == "function":
        if handler.function not in defined:
            raise InvalidError(
                f"{handler.path} defines no {handler.function}.",
                f"It defines {', '.join(defined) or 'nothing'}.",
            )
        return
    own = set(INFERENCE_FUNCTIONS) & set(defined)
    if not own:
        raise InvalidError(
            f"{handler.path} defines none of {', '.join(INFERENCE_FUNCTIONS)}.",
            "Define at least model_fn(model_dir), or choose a function of the file instead.",
        )
    if "transform_fn" in own and own & {"input_fn", "predict_fn", "output_fn"}:
        raise InvalidError(
            f"{handler.path} defines transform_fn and also input_fn, predict_fn or output_fn.",
            "Keep one way of the two.",
        )
    if "model_fn" not in own:
        loaded = [name for name in files.model if name.lower().endswith(LOADED_SUFFIXES)]
        if len(loaded) != 1:
            raise InvalidError(
                f"{handler.path} defines no model_fn, and of the model files "
                f"({', '.join(files.model)}) not exactly one ends in {', '.join(LOADED_SUFFIXES)}.",
                "Define model_fn(model_dir), which loads and returns the model.",
            )


def _check_modules(handler: Handler, missing: Sequence[Mapping[str, Any]]) -> None:
    if not missing:
        return
    first = missing[0]
    names = ", ".join(dict.fromkeys(str(entry["module"]) for entry in missing))
    raise InvalidError(
        f"{first['file']}, line {first['line']}, imports {names}, which the snapshot's environment "
        f"does not have, and which is not beside {handler.path}.",
        "Install it in the kernel, or put its file into the handler's folder, and freeze again.",
    )
