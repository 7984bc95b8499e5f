"""What a request can be refused with."""

import json


class Refused(Exception):
    """The request ends here: ``status`` and a sentence that tells the caller why."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


class NotServable(Exception):
    """The worker cannot serve at all: the model or its handler does not load."""


class Said(Exception):
    """What another process said went wrong: shown without the name of this class."""


def sentence(error):
    """``ValueError: X has 3 features …``: type and text, at most 1,000 characters.

    Callers of SageMaker see 2,048 characters of an error, so the useful part is short and first.
    """
    text = " ".join(str(error).split())
    if isinstance(error, Said):
        return text[:1000]
    name = type(error).__name__
    return (name + ": " + text if text else name)[:1000]


def problem(status, text):
    """(status, content type, body) of an answer of ours that says what is wrong."""
    return status, b"application/json", json.dumps({"error": text}).encode()
