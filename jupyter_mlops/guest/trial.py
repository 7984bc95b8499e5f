"""Runs in an image, without a network: whether a handler and a model can work there.

``python -I -B trial.py FOLDER MODEL`` where FOLDER has ``code/`` (the handler), ``serve/`` (the
serving layer), ``examine.py``, ``sample`` (a request's body) and ``request.json``. A model that no
``model_fn`` loads is loaded from MODEL, and answers the sample where nothing of the user's own
reads it: exactly as it will when it is served. Prints one line: MARK and JSON ``{"functions",
"missing", "error", "used", "untrusted", "trial"}``. Standard library only, 3.8 or newer.
"""

import importlib.util
import json
import os
import sys

MARK = "mlops-trial: "


def main(folder, model):
    with open(os.path.join(folder, "request.json"), encoding="utf-8") as file:
        request = json.load(file)
    answer = {"functions": [], "missing": [], "error": "", "used": [], "trial": None}
    answer["untrusted"] = untrusted(model)
    path = request["handler"]["path"]
    if path:
        examine = by_file("mlops_examine", os.path.join(folder, "examine.py"))
        answer.update(examine.look(os.path.join(folder, "code"), path))
    own = {"model_fn", "transform_fn"} & set(answer["functions"])
    stopped = answer["error"] or answer["missing"]
    if request["handler"]["kind"] != "function" and not own and not stopped:
        answer["trial"] = tried(folder, model, request)
    sys.stdout.flush()
    print("\n" + MARK + json.dumps(answer))
    sys.stdout.flush()
    # Not by the way of libraries' threads and exit hooks.
    os._exit(0)


def tried(folder, model, request):
    """``{"problem", "said"}``; no problem is an empty one."""
    start = by_file("mlops_start", os.path.join(folder, "serve", "start.py"))
    handlers, models, coding, errors = (
        start.load(name) for name in ("handlers", "models", "coding", "errors")
    )
    described = request["format"]
    found = {"problem": "", "said": ""}
    missing = [name for name in described.get("modules") or () if not has(name)]
    if missing:
        return {**found, "problem": "module", "said": ", ".join(missing)}
    try:
        module = None
        if request["handler"]["path"]:
            module = handlers._module(os.path.join(folder, "code", request["handler"]["path"]))
        accept = request["accept"] or coding.JSON
        handler = handlers.Inference(module, model, accept, described or None)
    except ModuleNotFoundError as error:
        return {**found, "problem": "module", "said": (error.name or str(error)).split(".")[0]}
    except errors.NotServable as error:
        return {**found, "problem": "load", "said": str(error)}
    except Exception as error:
        kind = "attribute" if "Can't get attribute" in str(error) else "load"
        return {**found, "problem": kind, "said": errors.sentence(error)}
    if module is not None and any(hasattr(module, n) for n in ("input_fn", "predict_fn")):
        return found
    with open(os.path.join(folder, "sample"), "rb") as file:
        body = file.read()
    try:
        data = coding.decode(body, request["content_type"])
        said = models.misfit(data, handler._model)
        if not said:
            handler(body, request["content_type"], accept, "")
    except errors.Refused as error:
        said = error.message
    except Exception as error:
        said = errors.sentence(error)
    return {**found, "problem": "sample" if said else "", "said": said}


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
