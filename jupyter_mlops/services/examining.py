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
from .assembling import GUEST, archive
from .package_files import PackageFiles, code_tar
from .temporary_containers import remove_temporary, temporary_name

_FOLDER = "mlops-examine"
_SCRIPTS = "mlops-scripts"
_EXAMINE = ("examine.py", "examine.R")
_NO_R = 3
_PYTHON = (f"{ENV_PREFIX}/bin/python", "-I", "-B", f"/{_SCRIPTS}/examine.py")
_R = (
    f"command -v Rscript >/dev/null || exit {_NO_R}; "
    f'exec Rscript --no-init-file /{_SCRIPTS}/examine.R "$0" "$@"'
)


async def examine(
    engine: Engine, image: str, files: PackageFiles, handler: Handler, owner: str
) -> list[str]:
    """Read the handler with the image's own Python or R; returns the project's files it uses.

    Only the image knows which syntax its Python reads and which import names its packages have.
    Raises InvalidError that names what is missing.
    """
    answer = await _ask(engine, image, files, handler, owner)
    if answer["error"]:
        raise InvalidError(
            f"The handler cannot be read: {answer['error']}.", "Correct the file and freeze again."
        )
    _check_functions(handler, answer["functions"], files)
    _check_modules(handler, answer["missing"])
    return list(answer["used"])


async def _ask(
    engine: Engine, image: str, files: PackageFiles, handler: Handler, owner: str
) -> dict[str, Any]:
    name = temporary_name("probe")
    spec = ContainerSpec(
        image=image,
        name=name,
        labels={LABEL_KIND: "probe", LABEL_OWNER: owner},
        entrypoint=("/bin/sh", "-c", _R) if handler.kind == "r" else _PYTHON,
        command=(f"/{_FOLDER}", files.handler),
        tmpfs={"/tmp": "mode=1777"},
        network="none",
        user="0:0",
    )
    try:
        container = await engine.create(spec)
        tar = await anyio.to_thread.run_sync(code_tar, files, _FOLDER)
        await engine.put_archive(container, "/", tar)
        scripts = {f"/{_SCRIPTS}/{name}": (GUEST / name).read_bytes() for name in _EXAMINE}
        await engine.put_archive(container, "/", archive(scripts))
        await engine.start(container)
        code = await engine.wait(container)
        said = (await engine.logs(container)).strip()
    finally:
        await remove_temporary(engine, name)
    last = said.rpartition("\n")[2]
    if handler.kind == "r" and code == _NO_R:
        raise InvalidError(
            f"{handler.path} is R, and the snapshot's environment has no R.",
            "Add a package of R to the environment.",
        )
    try:
        answer: dict[str, Any] = json.loads(last)
    except ValueError:
        raise EngineError(
            f"The handler could not be looked at in the image (exit code {code}): {last[:200]}",
            f"The image needs Python 3.8 or later at {ENV_PREFIX}/bin/python, and R for R.",
        ) from None
    return answer


def _check_functions(handler: Handler, defined: Sequence[str], files: PackageFiles) -> None:
    if handler.kind == "function" or handler.function:
        if handler.function not in defined:
            raise InvalidError(
                f"{handler.path} defines no {handler.function}.",
                f"It defines {', '.join(defined) or 'nothing'}.",
            )
        return
    if handler.kind == "r":
        _check_r(handler, defined, files)
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


def _check_r(handler: Handler, defined: Sequence[str], files: PackageFiles) -> None:
    """Without a function of its own, R's ``predict`` is called."""
    saved = [name for name in files.model if name.lower().endswith(".rds")]
    if "model_fn" not in defined and len(saved) != 1:
        raise InvalidError(
            f"{handler.path} defines no model_fn, and of the model files "
            f"({', '.join(files.model)}) not exactly one ends in .rds.",
            "Save the model with saveRDS, or define model_fn(folder), which loads and returns it.",
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
