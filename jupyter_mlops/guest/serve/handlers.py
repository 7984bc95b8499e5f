"""What answers a request: SageMaker's four functions, or one function of a file."""

import importlib.util
import inspect
import os
import sys

from . import coding, models, v2
from .errors import NotServable, Refused, sentence
from .pieces import Pieces, streams

TEXT = (coding.JSON, coding.CSV)
"""Bodies that SageMaker's own containers give to ``input_fn`` as str and not as bytes."""


class Context:
    """What handlers with one more parameter get, in the manner of SageMaker's containers."""

    def __init__(self, model_dir, headers=None):
        self.system_properties = {"model_dir": model_dir, "gpu_id": None}
        self._headers = headers or {}
        self.response_headers = {}
        self.parameters = {}
        """What a JSON request says in ``parameters`` beside its rows."""

    def get_request_header(self, index, name):
        return self._headers.get(name.lower())

    def get_all_request_header(self, index=0):
        return dict(self._headers)

    def set_response_header(self, name, value):
        self.response_headers[str(name)] = str(value)


def load(spec, model_dir, accept):
    """The handler of a package: callable with (body, content type, accept, custom attributes).

    It returns (status, content type, body, headers); the body is bytes, or Pieces. Raises
    NotServable, or whatever the user's code raises when it is imported.
    """
    handler = spec.get("handler") or {}
    if handler.get("kind") == "r":
        from .r import R

        return R(handler, model_dir, accept)
    if handler.get("kind") == "default":
        return Inference(None, model_dir, accept, spec.get("format"))
    module = _module(os.path.join(model_dir, "code", handler.get("path", "inference.py")))
    if handler.get("kind") == "function":
        return Function(module, handler["function"], accept)
    return Inference(module, model_dir, accept, spec.get("format"))


def _module(path):
    """Import the handler's file under its own name, with its neighbours importable."""
    if not os.path.isfile(path):
        raise NotServable("The handler %s is not in the model archive." % path)
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    # Models pickled in a notebook look for their classes in __main__: the handler's are offered.
    main = sys.modules["__main__"].__dict__
    for key, value in vars(module).items():
        if not key.startswith("_"):
            main.setdefault(key, value)
    return module


class Inference:
    """``model_fn``, ``input_fn``, ``predict_fn``, ``output_fn``, or ``transform_fn`` for the last
    three; each may be missing, and ``module`` may be None: then the model's own ``predict``
    answers. ``described`` is the model's format, as ``models.load`` takes it."""

    by_name = False
    """Whether ``ask`` takes tensors by their names, not as rows."""

    def __init__(self, module, model_dir, accept, described=None):
        self._accept = accept
        self._model_dir = model_dir
        own = {
            name: getattr(module, name, None)
            for name in ("model_fn", "input_fn", "predict_fn", "output_fn", "transform_fn")
        }
        if own["transform_fn"] and (own["input_fn"] or own["predict_fn"] or own["output_fn"]):
            raise NotServable(
                "%s has transform_fn and also input_fn, predict_fn or output_fn: "
                "keep one way of the two." % module.__file__
            )
        model_fn = _with_context(own["model_fn"], 1) if own["model_fn"] else None
        if model_fn is not None:
            self._model = model_fn(model_dir, context=Context(model_dir))
        else:
            self._model = models.load(model_dir, described)
        self._input = _with_context(own["input_fn"], 2) if own["input_fn"] else None
        self._predict = _with_context(own["predict_fn"], 2) if own["predict_fn"] else None
        self._output = _with_context(own["output_fn"], 2) if own["output_fn"] else None
        own_rows = own["predict_fn"] is None or _of_rows(own["predict_fn"])
        self.takes_rows = own["transform_fn"] is None and own_rows
        """Whether rows of several requests can be predicted in one call."""
        self._transform = _with_context(own["transform_fn"], 4) if own["transform_fn"] else None

    def __call__(self, body, content_type, accept, attributes):
        context = self._context(content_type, accept, attributes)
        if self._transform is not None:
            wanted = accept if accept not in ("", "*/*") else self._accept
            answer = self._run(
                "transform_fn", (UnicodeDecodeError, JSON_ERROR), self._transform,
                self._model, self._given(body, content_type), content_type, wanted,
                context=context,
            )  # fmt: skip
            return (200, *_sent(answer, wanted), context.response_headers)
        data, wanted = self._read(body, content_type, accept, context)
        return self.close(self.predict(data, context), wanted, context)

    def _context(self, content_type, accept, attributes):
        return Context(
            self._model_dir,
            {
                "content-type": content_type,
                "accept": accept,
                "x-amzn-sagemaker-custom-attributes": attributes,
            },
        )

    def open(self, body, content_type, accept, attributes):
        """(data, content type of the answer, context) of one request: before the model's work."""
        context = self._context(content_type, accept, attributes)
        return (*self._read(body, content_type, accept, context), context)

    def _read(self, body, content_type, accept, context):
        if self._output is None:
            # Before the work: an answer nobody can read is not worth predicting.
            wanted = coding.choose(accept, self._accept)
        else:
            wanted = accept if accept not in ("", "*/*") else self._accept
        if self._input is None:
            return coding.decode(body, content_type, context.parameters), wanted
        data = self._run(
            "input_fn", (ValueError, KeyError, TypeError), self._input,
            self._given(body, content_type), content_type, context=context,
        )  # fmt: skip
        return data, wanted

    def predict(self, data, context):
        """The model's work, for one request or the rows of several."""
        if self._predict is None:
            return self._run("predict", (), models.predict, data, self._model)
        return self._run("predict_fn", (), self._predict, data, self._model, context=context)

    def close(self, prediction, wanted, context):
        """(status, content type, body, headers) of a request's own prediction."""
        if self._output is None:
            return (200, *_sent(prediction, wanted, encode=True), context.response_headers)
        answer = self._run("output_fn", (), self._output, prediction, wanted, context=context)
        return (200, *_sent(answer, wanted), context.response_headers)

    def resident(self):
        """Bytes of memory of processes beside the worker."""
        return 0

    def ask(self, data, told):
        """(prediction, headers) for the tensors of a KServe V2 request."""
        if self._input is not None or self._transform is not None:
            # It reads bodies, not data.
            answered = self(v2.rows(data), coding.JSON, coding.JSON, told.attributes)
            return _predicted(answered), answered[3]
        context = self._context(coding.JSON, coding.JSON, told.attributes)
        prediction = self.predict(data, context)
        if self._output is None and not streams(prediction):
            return prediction, context.response_headers
        answered = self.close(prediction, coding.JSON, context)
        return _predicted(answered), answered[3]

    def _given(self, body, content_type):
        if coding.media_type(content_type)[0] in TEXT:
            return coding.utf8(body)
        return body

    @staticmethod
    def _run(name, callers, function, *arguments, **keywords):
        """Call one step; its errors of the kinds ``callers`` are the caller's fault: 400."""
        try:
            return function(*arguments, **keywords)
        except callers as error:
            raise Refused(400, "%s: %s" % (name, sentence(error))) from error


class Function:
    """``{"data": {…}}`` is answered by ``function(**data)`` as ``{"result": …}``."""

    takes_rows = False
    by_name = True

    def __init__(self, module, name, accept):
        self._function = getattr(module, name, None)
        if not callable(self._function):
            raise NotServable("%s has no function %s." % (module.__file__, name))
        self._name = name
        self._signature = inspect.signature(self._function)

    def __call__(self, body, content_type, accept, attributes):
        if coding.media_type(content_type)[0] != coding.JSON:
            raise Refused(415, "Send application/json; %s is not understood here." % content_type)
        coding.choose(accept, coding.JSON)
        if not body:
            raise Refused(400, "The request has no body.")
        request = coding.from_json(coding.utf8(body))
        request = request if isinstance(request, dict) else {}
        instances = request.get("instances")
        if isinstance(instances, list) and all(isinstance(each, dict) for each in instances):
            # One call for each, as KServe V1 and Vertex AI ask.
            answers = {"predictions": [self._call(each) for each in instances]}
            return 200, coding.JSON, coding.to_json(answers).encode(), {}
        result = self._call(request.get("data"))
        if streams(result):
            pieces = Pieces(result, lambda item: _line({"result": item}))
            return 200, coding.JSONL, pieces, {}
        return 200, coding.JSON, coding.to_json({"result": result}).encode(), {}

    def _call(self, data):
        if not isinstance(data, dict):
            raise Refused(400, 'Send {"data": {…}} with the arguments of %s.' % self._name)
        try:
            bound = self._signature.bind(**data)
        except TypeError as error:
            raise Refused(400, "%s: %s" % (self._name, error)) from error
        return self._function(*bound.args, **bound.kwargs)

    def resident(self):
        return 0

    def ask(self, data, told):
        """(result, headers) for the tensors of a KServe V2 request: arguments by their names."""
        return self._call({name: coding.plain(value) for name, value in data.items()}), {}


def _predicted(answered):
    """The data of an answer that a handler wrote itself."""
    _, content_type, body, _ = answered
    if body.__class__ is Pieces or coding.media_type(content_type)[0] != coding.JSON:
        raise TypeError("The handler answers %s, of which no tensors can be made." % content_type)
    found = coding.from_json(body.decode())
    if isinstance(found, dict) and list(found) == ["predictions"]:
        return found["predictions"]
    return found


JSON_ERROR = __import__("json").JSONDecodeError


def _with_context(function, arguments):
    """The function, called with ``context`` as one more argument only if it takes one."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) > arguments and positional[arguments].name == "context":
        return lambda *given, context: function(*given, context)
    if any(p.kind == p.KEYWORD_ONLY and p.name == "context" for p in parameters):
        return function
    return lambda *given, context: function(*given)


def _of_rows(function):
    """Not one that is told of a single request, or that yields."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return False
    try:
        return "context" not in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True


def _sent(answer, wanted, encode=False):
    """(content type, body) of what ``output_fn`` or ``transform_fn`` returned."""
    if encode:
        if streams(answer):
            return _rows(answer, wanted)
        return coding.encode(answer, wanted)
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], str):
        answer, wanted = answer
    else:
        wanted = wanted.split(",")[0].strip() or coding.JSON
    if isinstance(answer, str):
        return wanted, answer.encode()
    if isinstance(answer, (bytes, bytearray, memoryview)):
        return wanted, bytes(answer)
    if streams(answer):
        return wanted, Pieces(answer, _piece)
    return coding.encode(answer, coding.choose(wanted, coding.JSON))


def _rows(answer, wanted):
    """(content type, Pieces) of predictions that come one by one: lines of JSON or CSV."""
    if wanted == coding.CSV:
        return wanted, Pieces(answer, lambda item: coding.encode([item], wanted)[1])
    if wanted in (coding.NPY, coding.NPZ):
        raise Refused(406, "Predictions that come one by one are sent as %s." % coding.JSONL)
    return coding.JSONL, Pieces(answer, _line)


def _line(item):
    return coding.to_json(item).encode() + b"\n"


def _piece(item):
    """Text and bytes as the handler yields them, other values as a line of JSON each."""
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    return _line(item)
