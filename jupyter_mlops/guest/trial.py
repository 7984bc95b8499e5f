"""Runs in an image, without a network: whether a handler and a model can work there.

``python -I -B trial.py FOLDER MODEL`` where FOLDER has ``serve/`` (the serving layer),
``examine.py``, ``examine.R``, ``shapes.py``, ``sample`` (a request's body) and ``request.json``,
and MODEL the model's files and ``code/`` (the handler). The model is loaded and answers the sample,
exactly as it will when it is served.

Prints one line, MARK and JSON: ``{"functions", "missing", "error", "used", "untrusted", "trial"}``,
or ``{"without"}``, the language that the image lacks, or ``{"ended"}``, how the process ended that
should have said it: a negative signal, or an exit code. Standard library only, 3.8 or newer.
"""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

MARK = "mlops-trial: "
ANSWER_SECONDS = 60
"""SageMaker waits no longer for an answer."""


def main(folder, model):
    """In a process of its own, since a handler may end it; and no signal ends a container's
    first."""
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child == 0:
            try:
                json.dump(examined(folder, model), said)
                said.flush()
                sys.stdout.flush()
                # Not by the way of libraries' threads and exit hooks.
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        ended = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print("\n" + MARK + (said.read() or json.dumps({"ended": ended})))


def examined(folder, model):
    with open(os.path.join(folder, "request.json"), encoding="utf-8") as file:
        request = json.load(file)
    answer = {"functions": [], "missing": [], "error": "", "used": [], "trial": None}
    answer["untrusted"] = untrusted(model)
    path, code = request["handler"]["path"], os.path.join(model, "code")
    if request["handler"]["kind"] == "r":
        program = shutil.which("Rscript")
        if program is None:
            return {"without": "R"}
        command = [program, "--no-init-file", os.path.join(folder, "examine.R"), code, path]
        answer.update(json.loads(subprocess.check_output(command)))
    elif path:
        examine = by_file("mlops_examine", os.path.join(folder, "examine.py"))
        answer.update(examine.look(code, path))
    if not answer["error"] and not answer["missing"]:
        answer["trial"] = tried(folder, model, request, set(answer["functions"]))
    return answer


def tried(folder, model, request, own):
    """``{"problem", "said", "schema"}``; no problem is an empty one. ``own`` are the handler's
    functions."""
    start = by_file("mlops_start", os.path.join(folder, "serve", "start.py"))
    handlers, models, coding, errors = (
        start.load(name) for name in ("handlers", "models", "coding", "errors")
    )
    found = {"problem": "", "said": "", "schema": {}}
    described = dict(request["format"])
    missing = [name for name in described.pop("modules", None) or () if not has(name)]
    if missing:
        return {**found, "problem": "module", "said": ", ".join(missing)}
    accept = request["accept"] or coding.JSON
    kind = request["handler"]["kind"]
    try:
        spec = {"handler": request["handler"], "format": described or None}
        handler = handlers.load(spec, model, accept)
    except ModuleNotFoundError as error:
        return {**found, "problem": "module", "said": (error.name or str(error)).split(".")[0]}
    except errors.NotServable as error:
        return {**found, "problem": "load", "said": str(error)}
    except (Exception, SystemExit) as error:
        problem = "attribute" if "Can't get attribute" in str(error) else "load"
        if problem == "load" and (kind in ("function", "r") or "model_fn" in own):
            problem = "handler"
        return {**found, "problem": problem, "said": errors.sentence(error)}
    with open(os.path.join(folder, "sample"), "rb") as file:
        body = file.read()
    by_model = kind != "function" and not own & {"input_fn", "predict_fn", "transform_fn"}
    said = ""
    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(ANSWER_SECONDS)
    try:
        if by_model and kind != "r":
            data = coding.decode(body, request["content_type"])
            said = models.misfit(data, handler._model)
        if not said:
            answer = handler(body, request["content_type"], accept, "")
            if not isinstance(answer[2], bytes):
                for _ in answer[2]:
                    pass
    except errors.Refused as error:
        said = error.message
    except (Exception, SystemExit) as error:
        said = errors.sentence(error)
    signal.alarm(0)
    if said:
        return {**found, "problem": "sample" if by_model else "answer", "said": said}
    given, answered = data_of(body, request["content_type"]), data_of(answer[2], answer[1])
    if kind == "function" and isinstance(given, dict) and isinstance(answered, dict):
        given, answered = given.get("data"), answered.get("result")
    return {**found, "schema": schema(folder, given, answered)}


def data_of(body, content_type):
    """What a body says by itself; None for a format of the handler's own, and for a stream."""
    start = sys.modules["mlops_start"]
    if not isinstance(body, bytes):
        return None
    try:
        return start.load("coding").decode(body, content_type)
    except start.load("errors").Refused:
        return None


def schema(folder, given, answered):
    """``{"input", "output"}``, as far as they are known."""
    shapes = by_file("mlops_shapes", os.path.join(folder, "shapes.py"))
    sides = {"input": given, "output": answered}
    return {name: shapes.described(data) for name, data in sides.items() if data is not None}


def too_slow(*_):
    raise TimeoutError("no answer within %d s" % ANSWER_SECONDS)


def untrusted(model):
    """Types of skops files that skops does not trust by itself."""
    names = [name for name in os.listdir(model) if name.endswith(".skops")]
    if not names or not has("skops"):
        return []
    import skops.io

    kinds = set()
    for name in names:
        try:
            kinds |= set(skops.io.get_untrusted_types(file=os.path.join(model, name)))
        except Exception:  # A damaged one: loading it says so.
            return []
    return sorted(kinds)


def has(module):
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def by_file(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
