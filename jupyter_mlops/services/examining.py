"""Whether a handler and a model can work in a snapshot's image, found before anything is built."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread

from ..core.errors import EngineError, InvalidError
from ..core.handlers import INFERENCE_FUNCTIONS
from ..core.layout import ENV_PREFIX, LABEL_KIND, LABEL_OWNER, MODEL_DIR
from ..core.model_formats import untrusted
from ..core.model_package import Handler
from ..core.ports import ContainerSpec, Engine, Mount
from .assembling import GUEST, archive
from .model_problems import check_trial, ended, too_slow
from .package_files import SCHEMA, PackageFiles, SampleFiles, in_project, link_files
from .package_spec import described
from .temporary_containers import remove_temporary, temporary_name

_FOLDER = "/mlops-examine"
_MARK = "mlops-trial: "
TRIAL_SECONDS = 540.0
"""SageMaker waits 480 s for the model and 60 s for an answer."""
_PYTHON = (f"{ENV_PREFIX}/bin/python", "-I", "-B", f"{_FOLDER}/trial.py")


async def examine(
    engine: Engine,
    image: str,
    files: PackageFiles,
    handler: Handler,
    sample: SampleFiles,
    owner: str,
    root: Path,
    scratch: Path,
) -> PackageFiles:
    """Read the handler with the image's own Python or R, load the model and answer the sample, in
    a container without network.

    Only the image knows which syntax its Python reads and which import names its packages have.
    ``root`` is the unpacked project, ``scratch`` a folder that is not there yet. Returns the files
    that the handler uses, with what else was found of them. Raises InvalidError that names what
    is missing.
    """
    answer = await _ask(engine, image, files, handler, sample, owner, scratch)
    if answer["error"]:
        raise InvalidError(
            f"The handler cannot be read: {answer['error']}.", "Correct the file and freeze again."
        )
    if handler.path:
        _check_functions(handler, answer["functions"], files)
        await anyio.to_thread.run_sync(_check_modules, handler, answer["missing"], root)
    trial = answer["trial"]
    check_trial(trial, handler, files)
    trust = files.trust or untrusted(answer["untrusted"])
    schema = await anyio.to_thread.run_sync(_recorded_schema, files) or trial["schema"]
    return replace(files.used(answer["used"]), trust=trust, schema=schema)


async def _ask(
    engine: Engine,
    image: str,
    files: PackageFiles,
    handler: Handler,
    sample: SampleFiles,
    owner: str,
    scratch: Path,
) -> dict[str, Any]:
    name = temporary_name("probe")
    spec = ContainerSpec(
        image=image,
        name=name,
        labels={LABEL_KIND: "probe", LABEL_OWNER: owner},
        entrypoint=_PYTHON,
        command=(_FOLDER, MODEL_DIR),
        mounts=(Mount(str(scratch), MODEL_DIR, read_only=True),),
        tmpfs={"/tmp": "mode=1777"},
        network="none",
        user="0:0",
    )
    request = {
        "handler": {"kind": handler.kind, "path": files.handler, "function": handler.function},
        "format": {
            **described(files.format),
            "modules": list(files.format.modules) if files.format else [],
        },
        "content_type": sample.content_type,
        "accept": sample.accept,
    }
    try:
        await anyio.to_thread.run_sync(link_files, files, scratch)
        container = await engine.create(spec)
        tar = await anyio.to_thread.run_sync(_tools, sample, request)
        await engine.put_archive(container, "/", tar)
        await engine.start(container)
        code = await asyncio.wait_for(engine.wait(container), TRIAL_SECONDS)
        said = (await engine.logs(container)).strip()
    except asyncio.TimeoutError:
        raise too_slow(handler, files, TRIAL_SECONDS) from None
    finally:
        await remove_temporary(engine, name)
    said, _, last = said.rpartition(_MARK)
    try:
        answer: dict[str, Any] = json.loads(last.partition("\n")[0])
    except ValueError:
        raise EngineError(
            f"The handler could not be looked at in the image (exit code {code}): {last[-300:]}",
            f"The image needs Python 3.8 or later at {ENV_PREFIX}/bin/python.",
        ) from None
    if "without" in answer:
        raise InvalidError(
            f"{handler.path} is R, and the snapshot's environment has no R.",
            "Add a package of R to the environment.",
        )
    if "ended" in answer:
        raise ended(handler, files, answer["ended"], said.rstrip().rpartition("\n")[2])
    return answer


def _tools(sample: SampleFiles, request: Mapping[str, Any]) -> bytes:
    layer = [*(GUEST / "serve").glob("*.py"), *(GUEST / "serve").glob("*.R")]
    held = {f"{_FOLDER}/serve/{path.name}": path.read_bytes() for path in layer}
    for name in ("examine.py", "examine.R", "shapes.py", "trial.py"):
        held[f"{_FOLDER}/{name}"] = (GUEST / name).read_bytes()
    held[f"{_FOLDER}/request.json"] = json.dumps(request).encode()
    held[f"{_FOLDER}/sample"] = sample.body
    return archive(held)


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
    if "model_fn" not in own and not described(files.format):
        raise InvalidError(
            f"{handler.path} defines no model_fn, and the model files "
            f"({', '.join(files.model)}) are not one model that loads without it.",
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


def _check_modules(handler: Handler, missing: Sequence[Mapping[str, Any]], root: Path) -> None:
    if not missing:
        return
    first = missing[0]
    names = list(dict.fromkeys(str(entry["module"]) for entry in missing))
    said = f"{first['file']}, line {first['line']}, imports {', '.join(names)}"
    ours = {name: place for name in names if (place := in_project(root, name))}
    if ours:
        places = ", ".join(ours.values())
        raise InvalidError(
            f"{said}, which is in the project at {places}, but not beside {handler.path}: only "
            "what is beside the handler, or in packages there, goes into the package.",
            f"Move {places} into the folder of {handler.path} and freeze again.",
        )
    raise InvalidError(
        f"{said}, which the snapshot's environment does not have, and which is not beside "
        f"{handler.path}.",
        "Install it in the kernel, or put its file into the handler's folder, and freeze again.",
    )


def _recorded_schema(files: PackageFiles) -> dict[str, Any]:
    """What the export of a live variable wrote beside its handler: it knows the notebook's types,
    not JSON's. Empty without one (blocks)."""
    if files.handler:
        with suppress(OSError, ValueError):
            found = json.loads(files.code[files.handler].with_name(SCHEMA).read_bytes())
            return found if isinstance(found, dict) and "input" in found else {}
    return {}
