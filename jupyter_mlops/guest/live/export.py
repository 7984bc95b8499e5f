"""Writes down a model, a sample, the notebook's own prediction of it, and what both look like."""

import importlib.util
import json
import os
import types

from . import coding, modules
from .kinds import ROWS, model_kind
from .saving import ONNX_KINDS, save
from .shapes import described, is_array, is_frame
from .sources import NotSaved
from .writing import function_handler, model_handler


def export(namespace, model, sample, folder, stem):
    """Returns what was written: names below ``folder``, the format, and the schema."""
    for name in (model, sample):
        if name not in namespace:
            raise NotSaved("The notebook has no variable %s any more." % name)
    value, kind = namespace[model], model_kind(namespace[model])
    if not kind:
        raise NotSaved("%s is not a model that has been fitted." % model)
    data = first_rows(namespace[sample])
    os.makedirs(folder, exist_ok=True)
    if isinstance(value, types.FunctionType):
        return export_function(value, data, folder, stem, namespace)
    try:
        prediction = predicted(value, kind, data)
    except Exception as error:
        reason = "%s: %s" % (type(error).__name__, " ".join(str(error).split())[:300])
        raise NotSaved("%s does not take %s: %s" % (model, sample, reason)) from None
    body, others = request(data)
    check_round_trip(value, kind, data, prediction, body)
    saved = save(value, kind, folder, stem, namespace, data)
    write(folder, "inference.py", model_handler(saved, namespace))
    write(folder, "sample.json", body)
    write(folder, "expected.json", coding.to_json(prediction))
    for name, content in others.items():
        write(folder, name, content)
    schema = {"input": described(data), "output": described(prediction)}
    write(folder, "schema.json", json.dumps(schema, indent=1) + "\n")
    return {
        "model": [saved.file],
        "handler": "inference.py",
        "function": "",
        "sample": "sample.json",
        "expected": "expected.json",
        "samples": sorted(["sample.json", *others]),
        "format": saved.form,
        "trusted_only": saved.trusted,
        "schema": schema,
    }


def export_function(function, data, folder, stem, namespace):
    if not isinstance(data, dict):
        raise NotSaved("%s is called with arguments by name: choose a dict." % function.__name__)
    body = text_of({"data": data})
    answer = function(**json.loads(body)["data"])
    source, files, form, trusted = function_handler(function, folder, stem, namespace)
    write(folder, "inference.py", source)
    write(folder, "sample.json", body)
    write(folder, "expected.json", coding.to_json({"result": answer}))
    schema = {"input": described(data), "output": described(answer)}
    write(folder, "schema.json", json.dumps(schema, indent=1) + "\n")
    return {
        "model": files,
        "handler": "inference.py",
        "function": function.__name__,
        "sample": "sample.json",
        "expected": "expected.json",
        "samples": ["sample.json"],
        "format": form,
        "trusted_only": trusted,
        "schema": schema,
    }


def first_rows(value):
    if is_frame(value):
        return value.iloc[:ROWS]
    return value if isinstance(value, dict) else value[:ROWS]


def predicted(model, kind, data):
    """As the handler that is written will do it."""
    if kind == "xgboost":
        import xgboost

        return model.predict(xgboost.DMatrix(data))
    if kind == "torch":
        return modules.predicted(model, data)
    if kind in ("onnx", "session"):
        import numpy
        import onnxruntime

        session = model
        if kind == "onnx":
            session = onnxruntime.InferenceSession(model.SerializeToString())
        first = session.get_inputs()[0]
        rows = numpy.asarray(data, dtype=ONNX_KINDS.get(first.type))
        return session.run(None, {first.name: rows})[0]
    return model(data) if kind == "callable" else model.predict(data)


def request(data):
    """(JSON of a request, the other forms that it can have: contents by file name)."""
    if is_frame(data):
        rows = coding.plain(data.values)
        body = {"dataframe_split": {"columns": [str(c) for c in data.columns], "data": rows}}
        others = {"sample.csv": data.to_csv(index=False)}
        if importlib.util.find_spec("pyarrow") is not None:
            others["sample.parquet"] = data.to_parquet(index=False, engine="pyarrow")
        return text_of(body), others
    if is_array(data):
        import io

        import numpy

        out = io.BytesIO()
        numpy.save(out, numpy.asarray(data), allow_pickle=False)
        return text_of({"instances": data.tolist()}), {"sample.npy": out.getvalue()}
    return text_of({"instances": data}), {}


def text_of(value):
    try:
        return json.dumps(value, default=coding.plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise NotSaved("The sample cannot be sent as JSON: %s" % error) from None


def check_round_trip(model, kind, data, prediction, body):
    """The sample must say in JSON what it says in the notebook. Raises NotSaved."""
    arrived = coding.shape(json.loads(body))
    changed = []
    if is_frame(data) and is_frame(arrived):
        before = {str(name): str(kind) for name, kind in data.dtypes.items()}
        after = {str(name): str(kind) for name, kind in arrived.dtypes.items()}
        changed = [
            "%s (%s becomes %s)" % (name, before[name], after.get(name))
            for name in before
            if before[name] != after.get(name)
        ]
    try:
        again = coding.to_json(predicted(model, kind, arrived))
    except Exception as error:
        reason = "%s: %s" % (type(error).__name__, " ".join(str(error).split())[:300])
    else:
        if close(json.loads(again), json.loads(coding.to_json(prediction))):
            return
        reason = "it predicts something else"
    what = "; in JSON these columns change: " + ", ".join(changed) if changed else ""
    raise NotSaved(
        "The model does not take this sample as it comes in a request: %s%s. Let a function of the "
        "notebook prepare it, and export that function." % (reason, what)
    )


def close(one, other):
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or abs(one - other) <= 1e-6 * max(abs(one), abs(other), 1e-3)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(close(a, b) for a, b in zip(one, other))  # noqa: B905
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    return one == other


def write(folder, name, content):
    path = os.path.join(folder, name)
    partial = "%s.%d" % (path, os.getpid())
    with open(partial, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode("utf-8"))
    os.replace(partial, path)
