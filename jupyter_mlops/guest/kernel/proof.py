"""Two sides show each other over TCP that they know a token, and never say it.

The client asks ``{"command": "hello", "challenge"}`` and gets ``{challenge, proof}``; it answers
``{"command": "prove", "proof"}``. A proof is an HMAC of who gives it and of the other's challenge.
"""

from __future__ import annotations

import hashlib
import hmac
import os

SUPERVISOR = "supervisor"
CLIENT = "client"


def new_challenge() -> str:
    return os.urandom(16).hex()


def proof(token: str, role: str, challenge: str) -> str:
    return hmac.new(token.encode(), f"{role} {challenge}".encode(), hashlib.sha256).hexdigest()


def proves(given: str, token: str, role: str, challenge: str) -> bool:
    return hmac.compare_digest(str(given).encode(), proof(token, role, challenge).encode())


class Gate:
    """The supervisor's side of one connection."""

    def __init__(self, token):
        self.token = token
        self.challenge = new_challenge()
        self.open = False

    def answer(self, request):
        """The answer's fields. Raises PermissionError for whoever does not know the token."""
        if request["command"] == "hello":
            mine = proof(self.token, SUPERVISOR, request["challenge"])
            return {"challenge": self.challenge, "proof": mine}
        if request["command"] != "prove":
            raise PermissionError("no proof was given")
        self.open = proves(request["proof"], self.token, CLIENT, self.challenge)
        if not self.open:
            raise PermissionError("the proof is wrong")
        return {}
