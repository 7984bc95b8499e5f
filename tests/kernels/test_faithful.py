"""A kernel in a container is the kernel: Jupyter's public suite, and what notebooks do besides."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupyter_kernel_test
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from tests.parts.services import Tiny

from .outside import BlockingKernel, Message, containers_of, jupyter_knows

pytestmark = pytest.mark.docker

NAME = "mlops-tiny"


@pytest.fixture(scope="module")
def config(tiny_environment: Tiny, services_config: Config) -> Config:
    """``test_faithful_podman.py`` has another one."""
    return services_config


@pytest.fixture(scope="module", autouse=True)
def jupyter(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with jupyter_knows(config, tmp_path_factory.mktemp("config")):
        yield


@pytest.fixture(scope="module")
def kernel(jupyter: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingKernel]:
    """One for all that leave it as it was."""
    kernel = BlockingKernel(NAME, tmp_path_factory.mktemp("work"))
    yield kernel
    kernel.close()


class TestPublicSuite(jupyter_kernel_test.KernelTests):
    kernel_name = NAME
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = [
        {"text": "zi", "matches": {"zip"}},
        {"text": "import humaniz", "matches": {"humanize"}},
    ]
    complete_code_samples = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n\n"]
    incomplete_code_samples = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples = ["import = 7q"]
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data = [
        {
            "code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))",
            "mime": "text/html",
        },
        {
            "code": "from IPython.display import Math, display; display(Math('\\frac{1}{2}'))",
            "mime": "text/latex",
        },
    ]
    code_history_pattern = "1?2*"
    # Not "range", which has a test below: IPython answers with session 0, its name for the
    # running one.
    supported_history_operations = ("tail", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"


class TestWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = NAME
    support_iopub_welcome = True


def test_input_and_passwords_are_asked(kernel: BlockingKernel):
    asked: list[Message] = []

    def answer(message: Message) -> None:
        asked.append(message["content"])
        kernel.client.input(f"answer {len(asked)}")

    cell = kernel.run(
        "import getpass\nprint([input('who? '), getpass.getpass('and? ')])",
        allow_stdin=True,
        stdin_hook=answer,
    )
    assert "['answer 1', 'answer 2']" in cell.text
    assert asked == [{"prompt": "who? ", "password": False}, {"prompt": "and? ", "password": True}]
    # A program that runs notebooks cannot be asked: the kernel says so instead of waiting.
    assert kernel.run("input()", allow_stdin=False).error == "StdinNotImplementedError"


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("time.sleep(120)", id="sleep"),
        # Without Python's lock, and deaf to signals until it returns: every second or so.
        pytest.param(
            "hashlib.pbkdf2_hmac('sha256', b'a', b'b', 1_000_000)", id="without Python's lock"
        ),
        # With the lock: no other thread of the kernel runs meanwhile.
        pytest.param("sum(range(20_000_000))", id="with Python's lock"),
        pytest.param("subprocess.run(['sleep', '120'])", id="subprocess"),
    ],
)
def test_interrupt_in_a_c_call(kernel: BlockingKernel, call: str):
    number = kernel.begin(
        "import hashlib, subprocess, time\nprint('in', flush=True)\n"
        f"for _ in range(1000):\n    {call}"
    )
    kernel.until(lambda m: m["msg_type"] == "stream" and "in" in m["content"]["text"])
    started = time.monotonic()
    kernel.manager.interrupt_kernel()
    reply = kernel.reply(number)
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert time.monotonic() - started < 20
    assert kernel.value("print(1 + 1)") == "2"


def test_comms_of_both_sides(kernel: BlockingKernel):
    kernel.value(
        "from comm import create_comm, get_comm_manager\n"
        "def opened(comm, message):\n"
        "    comm.on_msg(lambda m: comm.send({'twice': 2 * m['content']['data']['n']},"
        " buffers=[b'bytes']))\n"
        "    comm.on_close(lambda m: print('closed by the page'))\n"
        "get_comm_manager().register_target('page', opened)"
    )
    kernel.send("comm_open", {"comm_id": "c1", "target_name": "page", "data": {}})
    kernel.send("comm_msg", {"comm_id": "c1", "data": {"n": 21}})
    answer = kernel.until(lambda m: m["msg_type"] == "comm_msg")
    assert answer["content"] == {"comm_id": "c1", "data": {"twice": 42}}
    assert [bytes(buffer) for buffer in answer["buffers"]] == [b"bytes"]
    info = kernel.reply(kernel.send("comm_info_request", {"target_name": "page"}))
    assert info["content"]["comms"] == {"c1": {"target_name": "page"}}
    kernel.send("comm_close", {"comm_id": "c1", "data": {}})
    kernel.until(lambda m: "closed by the page" in m["content"].get("text", ""))

    kernel.begin("create_comm(target_name='elsewhere', data={'a': 1}, comm_id='c2');")
    message = kernel.until(lambda m: m["msg_type"] == "comm_open")["content"]
    assert (message["target_name"], message["data"]) == ("elsewhere", {"a": 1})


def test_packages_installed_by_a_cell_are_there_at_once_and_widgets_work(kernel: BlockingKernel):
    assert kernel.run("import ipywidgets").error == "ModuleNotFoundError"
    kernel.value("%pip install --quiet ipywidgets", timeout=240)
    kernel.begin(
        "import ipywidgets\nslider = ipywidgets.IntSlider(3)\n"
        "slider.observe(lambda change: print('now', change['new']), 'value')\ndisplay(slider)"
    )
    opened = kernel.until(
        lambda m: (
            m["msg_type"] == "comm_open"
            and m["content"]["data"]["state"].get("_model_name") == "IntSliderModel"
        )
    )
    model = opened["content"]["comm_id"]
    shown = kernel.until(lambda m: m["msg_type"] == "display_data")["content"]["data"]
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == model
    # Somebody moves the slider.
    kernel.send(
        "comm_msg",
        {"comm_id": model, "data": {"method": "update", "state": {"value": 8}, "buffer_paths": []}},
    )
    kernel.until(lambda m: "now 8" in m["content"].get("text", ""))
    assert kernel.value("print(slider.value)") == "8"


class Debugger:
    """A debug adapter's client, as JupyterLab's: requests on the control channel."""

    def __init__(self, kernel: BlockingKernel) -> None:
        self.kernel = kernel
        self.count = 0

    def __call__(self, command: str, **arguments: Any) -> dict[str, Any]:
        self.count += 1
        content = {
            "type": "request",
            "seq": self.count,
            "command": command,
            "arguments": arguments,
        }
        number = self.kernel.send("debug_request", content, "control")
        answer = self.kernel.reply(number, channel="control")["content"]
        assert answer["success"], answer
        return answer.get("body", {})

    def event(self, name: str) -> dict[str, Any]:
        message = self.kernel.until(
            lambda m: m["msg_type"] == "debug_event" and m["content"]["event"] == name
        )
        return message["content"]["body"]


def test_the_debugger_stops_at_a_breakpoint(jupyter: None, tmp_path: Path):
    # One of its own: a debugger changes how its kernel runs.
    kernel = BlockingKernel(NAME, tmp_path)
    try:
        debug = Debugger(kernel)
        about = debug(
            "initialize",
            clientID="test",
            adapterID="",
            pathFormat="path",
            linesStartAt1=True,
            columnsStartAt1=True,
        )
        assert about["supportsConditionalBreakpoints"]
        debug("attach")
        code = "def area(width, height):\n    total = width * height\n    return total\narea(6, 7)"
        source = debug("dumpCell", code=code)["sourcePath"]
        found = debug("setBreakpoints", source={"path": source}, breakpoints=[{"line": 3}])
        assert found["breakpoints"][0]["verified"]
        debug("configurationDone")
        info = debug("debugInfo")
        assert info["isStarted"] and info["breakpoints"][0]["source"] == source

        number = kernel.begin(code)
        stopped = debug.event("stopped")
        assert stopped["reason"] == "breakpoint"
        frame = debug("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]
        assert (frame["name"], frame["line"]) == ("area", 3)
        scope = debug("scopes", frameId=frame["id"])["scopes"][0]
        variables = debug("variables", variablesReference=scope["variablesReference"])["variables"]
        assert {"name": "total", "value": "42"}.items() <= next(
            v for v in variables if v["name"] == "total"
        ).items()
        debug("continue", threadId=stopped["threadId"])
        assert kernel.reply(number)["content"]["status"] == "ok"
    finally:
        kernel.close()


def test_history_outlives_a_kernel(jupyter: None, tmp_path: Path):
    """It is in the home folder of the environment."""
    for code in ("kept = 'in the history'", None):
        kernel = BlockingKernel(NAME, tmp_path)
        try:
            if code:
                kernel.value(code)
                request = {"hist_access_type": "range", "session": 0, "start": 1, "raw": True}
                answer = kernel.reply(kernel.send("history_request", {"output": False, **request}))
                assert answer["content"]["history"] == [[0, 1, code]]
                continue
            request = {"hist_access_type": "search", "pattern": "kept = *", "raw": True}
            answer = kernel.reply(kernel.send("history_request", {"output": False, **request}))
            assert answer["content"]["history"][-1][2] == "kept = 'in the history'"
        finally:
            # As a user's shutdown, which lets the kernel write what it has.
            kernel.client.stop_channels()
            kernel.manager.shutdown_kernel()


def test_what_subprocesses_and_libraries_print_arrives(kernel: BlockingKernel):
    cell = kernel.run(
        "import os, subprocess, sys\n"
        "os.system('echo shell')\n"
        "subprocess.run(['echo', 'child'])\n"
        "subprocess.run('echo complaint >&2', shell=True)\n"
        "os.write(1, b'library\\n')\n"
        "import multiprocessing\n"
        "p = multiprocessing.get_context('fork').Process(target=print, args=('forked',))\n"
        "p.start(); p.join()\n"
        "!echo magic"
    )
    assert not cell.error
    streams = [m["content"] for m in cell.messages if m["msg_type"] == "stream"]
    out = "".join(s["text"] for s in streams if s["name"] == "stdout").split()
    # The pipe of the process and Python's own output are two ways: no order between them.
    assert sorted(out) == ["child", "forked", "library", "magic", "shell"]
    assert "complaint" in "".join(s["text"] for s in streams if s["name"] == "stderr")


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("for _ in range(1000):\n    print('x' * 99_999)", id="by Python"),
        pytest.param("import os; os.system('yes | head -c 100000000')", id="by a child"),
    ],
)
def test_large_output(kernel: BlockingKernel, code: str):
    size = 0

    def count(message: Message) -> None:
        nonlocal size
        # What `yes` says of its broken pipe is a stream too.
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            size += len(message["content"]["text"])

    peak = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    before, started = int(kernel.value(peak)), time.monotonic()
    reply = kernel.client.execute_interactive(code, output_hook=count, timeout=120)
    assert reply["content"]["status"] == "ok"
    assert size == 100_000_000
    assert time.monotonic() - started < 60
    # KiB. ipykernel sends what it has every 0.2 s: the whole may be there a few times at once.
    assert int(kernel.value(peak)) - before < 700 * 1024
    assert kernel.value("print(1 + 1)") == "2"


def notebook() -> Any:
    code = "import humanize, sys\nprint(humanize.intcomma(12345), sys.prefix)"
    return new_notebook(cells=[new_code_cell(code), new_code_cell("import os; print(os.getcwd())")])


def texts(content: Any) -> list[str]:
    return [cell.outputs[0].text.strip() for cell in content.cells]


def test_nbclient_runs_a_notebook(config: Config, tmp_path: Path):
    before = containers_of(config)
    content = notebook()
    NotebookClient(
        content, kernel_name=NAME, timeout=60, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert texts(content) == ["12,345 /opt/env", str(tmp_path)]
    assert containers_of(config) == before


async def test_nbclient_runs_two_notebooks_at_once(jupyter: None, tmp_path: Path):
    contents = [notebook(), notebook()]
    resources = {"metadata": {"path": str(tmp_path)}}
    clients = [NotebookClient(c, kernel_name=NAME, resources=resources) for c in contents]
    await asyncio.gather(*(client.async_execute() for client in clients))
    assert [texts(c) for c in contents] == [["12,345 /opt/env", str(tmp_path)]] * 2


def test_jupyter_execute_runs_a_notebook(config: Config, tmp_path: Path):
    before = containers_of(config)
    file = tmp_path / "a.ipynb"
    nbformat.write(notebook(), file)
    answer = subprocess.run(
        [
            str(Path(sys.executable).with_name("jupyter-execute")),
            f"--kernel_name={NAME}",
            "--inplace",
            str(file),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    assert texts(nbformat.read(file, as_version=4)) == ["12,345 /opt/env", str(tmp_path)]
    assert "Traceback" not in answer.stderr
    assert containers_of(config) == before
