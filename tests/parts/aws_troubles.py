"""What a real account does now and then: it throttles, forgets for a moment, or is slow."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

_PATIENCE = 60.0


@dataclass
class Hold:
    """Stops one action, before or after AWS does it, until the test lets it go."""

    action: str
    after: bool
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        self.reached.set()
        assert self.released.wait(_PATIENCE)


@dataclass
class Troubles:
    """By action, such as ``CreateModel`` or ``PutObject``; each number counts down to none."""

    throttled: dict[str, int] = field(default_factory=dict)
    unaware: dict[str, int] = field(default_factory=dict)
    """Answered as if what was made a moment ago were not there."""
    hold: Hold | None = None
    seen: list[str] = field(default_factory=list)
    """Every action that was asked for, in order."""

    def before(self, action: str, start_response: Any) -> list[bytes] | None:
        """An answer in AWS's place, or None."""
        self.seen.append(action)
        if self.hold and self.hold.action == action and not self.hold.after:
            self.hold.wait()
        if _count(self.throttled, action):
            return _json(start_response, "ThrottlingException", "Rate exceeded")
        if _count(self.unaware, action):
            if action == "PutObject":
                return _no_bucket(start_response)
            return _json(start_response, "ValidationException", 'Could not find model "x".')
        return None

    def after(self, action: str) -> None:
        if self.hold and self.hold.action == action and self.hold.after:
            self.hold.wait()


def action_of(environ: dict[str, Any]) -> str:
    """The action of a request, as AWS names it; empty where nobody asks."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target.rpartition(".")[2])
    if environ["REQUEST_METHOD"] != "PUT" or environ.get("QUERY_STRING"):
        return ""
    parts = environ.get("PATH_INFO", "").strip("/").split("/", 1)
    return "PutObject" if len(parts) == 2 else "CreateBucket"


def _count(numbers: dict[str, int], action: str) -> bool:
    if not numbers.get(action):
        return False
    numbers[action] -= 1
    return True


def _json(start_response: Any, code: str, message: str) -> list[bytes]:
    content = json.dumps({"__type": code, "message": message}).encode()
    start_response("400 Error", [("Content-Type", "application/x-amz-json-1.1")])
    return [content]


def _no_bucket(start_response: Any) -> list[bytes]:
    content = b"<Error><Code>NoSuchBucket</Code><Message>It does not exist.</Message></Error>"
    start_response("404 Not Found", [("Content-Type", "application/xml")])
    return [content]
