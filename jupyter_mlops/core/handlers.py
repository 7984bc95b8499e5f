"""Which files of a project can be a model, a handler or a sample: rules on names and sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from .errors import InvalidError
from .model_formats import ModelFormat

INFERENCE_FUNCTIONS = ("model_fn", "input_fn", "predict_fn", "output_fn", "transform_fn")

R_SUFFIX = ".r"
"""Of R files, in lower case."""
_R_FUNCTION = re.compile(r"^([A-Za-z][\w.]*)\s*(?:<-|=)\s*function\b", re.MULTILINE)

CONTENT_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".ndjson": "application/jsonlines",
    ".csv": "text/csv",
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain",
}


def kind(path: str, function: str) -> str:
    """Of the handler in this file; of none for an empty path."""
    if not path:
        return "default"
    if is_r(path):
        return "r"
    return "function" if function else "inference"


def is_r(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() == R_SUFFIX


def content_type(path: str) -> str:
    """By the file's suffix; ``application/octet-stream`` for an unknown one."""
    return CONTENT_TYPES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")


def models(formats: Mapping[str, ModelFormat]) -> tuple[str, ...]:
    """Models by path, likeliest first: those that load by themselves, named model, then near the
    project's root. What is in an MLflow folder is not a model beside it."""
    folders = [path for path, found in formats.items() if found.name == "MLflow"]
    inner = tuple(f"{folder}/" for folder in folders)

    def rank(path: str) -> tuple[bool, bool, bool, int, str]:
        pure, found = PurePosixPath(path), formats[path]
        return (
            not found.loads, "model" not in pure.stem.lower(), bool(found.trust), len(pure.parts),
            path,
        )  # fmt: skip

    return tuple(sorted((p for p in formats if not p.startswith(inner)), key=rank))


def samples(paths: Iterable[str]) -> tuple[str, ...]:
    """Files that can be a request's body, likeliest first: those with *sample* in their name."""

    def rank(path: str) -> tuple[int, int, int, str]:
        pure = PurePosixPath(path)
        name = pure.name.lower()
        words = ("sample", "request", "input", "example")
        place = next((i for i, word in enumerate(words) if word in name), len(words))
        answer = any(word in name for word in ("expected", "output", "prediction", "answer"))
        return (answer, place, len(pure.parts), path)

    found = [p for p in paths if PurePosixPath(p).suffix.lower() in CONTENT_TYPES]
    return tuple(sorted(found, key=rank))


def handlers(functions: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Files that define one of SageMaker's functions, ``inference.py`` first."""

    def rank(path: str) -> tuple[bool, int, str]:
        pure = PurePosixPath(path)
        return (pure.name != "inference.py", len(pure.parts), path)

    found = [p for p, names in functions.items() if set(names) & set(INFERENCE_FUNCTIONS)]
    return tuple(sorted(found, key=rank))


def functions(source: bytes, path: str = "") -> tuple[str, ...]:
    """Public functions that a Python or R file defines at top level, in order.

    Empty for a file that cannot be read: it may be written for a newer Python than ours.
    """
    if is_r(path):
        return tuple(dict.fromkeys(_R_FUNCTION.findall(source.decode("utf-8", "replace"))))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    names = [
        node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    return tuple(dict.fromkeys(name for name in names if not name.startswith("_")))


def check_sample(path: str, body: bytes, kind: str) -> None:
    """Raise InvalidError where ``body`` is not what its content type ``kind`` says.

    Only formats that need no library are read to their end.
    """
    if not body:
        raise InvalidError(f"The sample {path} is empty.", "Save a request's body in it.")
    name = kind.partition(";")[0].strip().lower()
    if name == "application/x-npy" and not body.startswith(b"\x93NUMPY"):
        raise InvalidError(f"The sample {path} is no .npy file.", "Write it with numpy.save.")
    if name == "application/x-npz" and not body.startswith(b"PK"):
        raise InvalidError(f"The sample {path} is no .npz file.", "Write it with numpy.savez.")
    if name not in ("application/json", "application/jsonlines", "text/csv", "text/plain"):
        return
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidError(
            f"The sample {path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8."
        ) from None
    if name == "application/json":
        _json(path, text, 0)
    elif name == "application/jsonlines":
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                _json(path, line, number)
    elif name == "text/csv":
        _csv(path, text)


def _json(path: str, text: str, line: int) -> None:
    import json

    try:
        json.loads(text)
    except ValueError as error:
        where = f"line {line} of {path}" if line else path
        raise InvalidError(
            f"The sample {where} is not JSON: {error}.", "Save it with json.dump."
        ) from None


def _csv(path: str, text: str) -> None:
    import csv
    import io

    width = 0
    for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
        if row and width and len(row) != width:
            raise InvalidError(
                f"Line {number} of the sample {path} has {len(row)} values, the first has {width}.",
                "Give every line the same number of values.",
            )
        width = width or len(row)
    if not width:
        raise InvalidError(f"The sample {path} has no lines.", "Save at least one row in it.")
