"""``openapi.yaml`` says what the handlers do."""

from __future__ import annotations

import re

from openapi_spec_validator import validate

from jupyter_mlops.core import errors
from jupyter_mlops.server.handlers import handlers
from jupyter_mlops.server.handlers.base import STATUS, MlopsHandler
from jupyter_mlops.server.openapi import FILE, description, text

from .conftest import DESCRIPTION

VERBS = ("get", "post", "put", "patch", "delete", "head")


def handled() -> set[tuple[str, str]]:
    """Verb and path pattern of everything that a handler answers."""
    found = set()
    for pattern, handler in handlers():
        for verb in VERBS:
            # tornado's own verbs answer 405.
            if any(
                verb in cls.__dict__ for cls in handler.__mro__ if issubclass(cls, MlopsHandler)
            ):
                found.add((verb, pattern))
    return found


def test_the_file_is_up_to_date():
    assert FILE.read_text() == text(), "run python -m jupyter_mlops.server.openapi"


def test_the_file_is_valid():
    validate(DESCRIPTION)
    assert description() == DESCRIPTION


def test_every_verb_is_described_and_every_description_handled():
    patterns = handled()
    matched = set()
    for path, verbs in DESCRIPTION["paths"].items():
        example = re.sub(r"{number}", "3", path)
        example = re.sub(r"{\w+}", "some-name", example)
        for verb in verbs:
            # tornado takes the first route that matches.
            first = next(p for p, _ in handlers() if re.fullmatch(p, example))
            assert (verb, first) in patterns, (verb, path)
            matched.add((verb, first))
    assert patterns == matched


def test_every_domain_error_has_a_status():
    def tree(cls):
        return {cls.code, *(code for sub in cls.__subclasses__() for code in tree(sub))}

    assert tree(errors.MlopsError) == set(STATUS)
