"""The account that moto plays."""

from __future__ import annotations

REGION = "eu-west-1"
ACCOUNT = "123456789012"
