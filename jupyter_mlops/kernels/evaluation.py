"""Asks a live kernel of Python or R something, in its own process."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient

from ..core.errors import ConflictError, InvalidError, KernelDeadError, UnsupportedError
from ..core.handover import Launch
from ..core.kernel import KernelRecord
from ..core.settings import Settings
from .endpoint import Endpoint
from .transports import Curve

_READY_SECONDS = 3.0
"""A kernel that does not answer within this is busy with a cell."""
_ANSWER_SECONDS = 120.0
_GUEST = Path(__file__).resolve().parents[1] / "guest"
_FILES = {
    "errors": _GUEST / "serve" / "errors.py",
    "columnar": _GUEST / "serve" / "columnar.py",
    "coding": _GUEST / "serve" / "coding.py",
    "shapes": _GUEST / "shapes.py",
    **{
        name: _GUEST / "live" / f"{name}.py"
        for name in ("kinds", "sources", "modules", "saving", "writing", "export")
    },
    "main": _GUEST / "live" / "main.py",
}
"""In the order in which they import each other."""
_R_FILE = _GUEST / "live" / "live.R"

_LOADER = """
import sys, types
name = "_jupyter_mlops_live"
package = types.ModuleType(name)
package.__path__ = []
before = set(sys.modules)
sys.modules[name] = package
try:
    for part, text in sources:
        module = types.ModuleType(name + "." + part)
        module.__package__ = name
        sys.modules[module.__name__] = module
        setattr(package, part, module)
        exec(compile(text, "<jupyter-mlops " + part + ">", "exec"), module.__dict__)
    answer = package.main.main(question, namespace)
finally:
    for added in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
        del sys.modules[added]
"""


class KernelEvaluation:
    """Implements ``ports.LiveKernels``."""

    def __init__(self, settings: Settings, read_launch: Callable[[Path], Launch | None]) -> None:
        self._settings = settings
        self._read_launch = read_launch

    async def ask(self, record: KernelRecord, what: str, **arguments: Any) -> Any:
        if record.language not in _LANGUAGES:
            raise UnsupportedError(
                f"The variables of a kernel of {record.language} cannot be looked at.",
                "Save the model in the notebook, and export it from its file.",
            )
        endpoint = Endpoint(self._settings.runtime, record.id)
        launch = await asyncio.to_thread(self._read_launch, endpoint.folder)
        if launch is None:
            raise UnsupportedError(
                "This kernel belongs to no Jupyter server, so its variables cannot be looked at.",
                "Open its notebook in JupyterLab.",
            )
        curve = (
            Curve(launch.curve_publickey.encode(), launch.curve_secretkey.encode())
            if launch.curve_publickey
            else None
        )
        info: Any = endpoint.connection(launch.key.encode(), launch.signature_scheme, curve)
        client = AsyncKernelClient()
        client.load_connection_info(info)
        client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=False)
        try:
            return await _LANGUAGES[record.language](client, what, arguments)
        finally:
            client.stop_channels()


async def _ask_python(client: AsyncKernelClient, what: str, arguments: dict[str, Any]) -> Any:
    expression = await asyncio.to_thread(_expression, what, arguments)
    content = await _run(client, "", {"answer": expression})
    found = content.get("user_expressions", {}).get("answer", {})
    if found.get("status") != "ok":
        raise _no_answer(found)
    return _answer(ast.literal_eval(found["data"]["text/plain"]))


async def _ask_r(client: AsyncKernelClient, what: str, arguments: dict[str, Any]) -> Any:
    content = await _run(client, await asyncio.to_thread(_r_code, what, arguments), {})
    paged = [part["data"] for part in content.get("payload", ()) if part.get("source") == "page"]
    if not paged:
        raise _no_answer(content)
    return _answer(paged[-1]["text/plain"])


def _no_answer(content: Mapping[str, Any]) -> InvalidError:
    reason = f"{content.get('ename', 'no answer')}: {content.get('evalue', '')}"
    return InvalidError(f"The kernel could not say what its variables are: {reason}.")


def _answer(text: str) -> Any:
    found: dict[str, Any] = json.loads(text)
    if "error" in found:
        raise InvalidError(found["error"])
    return found["answer"]


async def _run(
    client: AsyncKernelClient, code: str, expressions: Mapping[str, str]
) -> dict[str, Any]:
    """What the kernel replies to code that no user sees; raises ConflictError while it is busy."""
    client.kernel_info()
    try:
        await client.get_shell_msg(timeout=_READY_SECONDS)
    except Empty:
        raise ConflictError(
            "The kernel is busy with a cell.", "Wait until it has ended, or interrupt it."
        ) from None
    number = client.execute(
        code, silent=True, store_history=False, allow_stdin=False, user_expressions=expressions
    )
    while True:
        try:
            reply = await client.get_shell_msg(timeout=_ANSWER_SECONDS)
        except Empty:
            raise KernelDeadError(
                f"The kernel did not answer within {_ANSWER_SECONDS:.0f} seconds.",
                "Look whether it still runs.",
            ) from None
        if reply["parent_header"].get("msg_id") == number:
            content: dict[str, Any] = reply["content"]
            return content


def _expression(what: str, arguments: dict[str, Any]) -> str:
    """One expression, which leaves no name behind in the notebook."""
    sources = [(name, file.read_text(encoding="utf-8")) for name, file in _FILES.items()]
    question = json.dumps({"what": what, "with": arguments})
    inner = (
        f"{{'sources': {sources!r}, 'question': {question!r}, 'namespace': globals(), "
        "'__name__': '_jupyter_mlops_live'}"
    )
    return f"(lambda given: (exec({_LOADER!r}, given), given['answer'])[1])({inner})"


def _r_code(what: str, arguments: dict[str, Any]) -> str:
    """One call, in a place that ends with it. JSON of a text is also R's source of it."""
    question = json.dumps({"what": what, "with": arguments}, ensure_ascii=False)
    source = _R_FILE.read_text(encoding="utf-8")
    text = json.dumps(question, ensure_ascii=False)
    return f"local({{\nquestion <- {text}\n{source}}}, envir = new.env(parent = baseenv()))"


_LANGUAGES = {"python": _ask_python, "R": _ask_r}
