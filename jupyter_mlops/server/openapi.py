"""Writes ``openapi.yaml``: ``python -m jupyter_mlops.server.openapi``."""

from __future__ import annotations

import re
from http.client import responses
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from .endpoints import ENDPOINTS, Endpoint, Query
from .schemas.about import Error

FILE = Path(__file__).with_name("openapi.yaml")
_REF = "#/components/schemas/"
_PARAMETERS = {"number": {"type": "integer", "minimum": 0}}


def description() -> dict[str, Any]:
    """The whole interface as an OpenAPI 3.1 document."""
    paths: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(f"/mlops/{endpoint.path}", {})[endpoint.verb] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyter-mlops",
            "version": "1",
            "description": "Paths are below the Jupyter server's base URL. Work that takes time "
            "answers 202 with an operation, whose address is in the header Location.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`token <the server's token>`, or a session's cookie.",
                }
            },
        },
    }


def text() -> str:
    head = "# Made by `python -m jupyter_mlops.server.openapi`; do not edit.\n"
    return head + yaml.safe_dump(description(), sort_keys=False, width=100, allow_unicode=True)


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _PARAMETERS.get(name, {"type": "string"}),
        }
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ] + [_query(query) for query in endpoint.query]
    operation: dict[str, Any] = {
        "operationId": _identifier(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.path.partition("/")[0]],
    }
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(_named(endpoint.body))}
    answer: dict[str, Any] = {"description": responses[endpoint.status]}
    if endpoint.accepted:
        answer["headers"] = {
            "Location": {
                "description": "The operation's address.",
                "schema": {"type": "string"},
            }
        }
    if endpoint.answer is not None:
        answer["content"] = _content(endpoint)
    operation["responses"] = {
        str(endpoint.status): answer,
        "default": {"description": "It failed.", "content": _json(_named(Error))},
    }
    return operation


def _identifier(endpoint: Endpoint) -> str:
    words = re.sub(r"{(\w+)}", r"by_\1", endpoint.path)
    return f"{endpoint.verb}_{re.sub(r'[^a-z_]+', '_', words)}"


def _query(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "in": "query",
        "required": query.required,
        "description": query.description,
        "schema": {"type": query.type},
    }


def _content(endpoint: Endpoint) -> dict[str, Any]:
    if isinstance(endpoint.answer, str):
        return {endpoint.answer: {"schema": {"type": "string"}}}
    if not endpoint.many:
        return _json(_named(endpoint.answer))
    return _json(
        {
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": {"type": "array", "items": _named(endpoint.answer)},
                "next": {
                    "type": ["string", "null"],
                    "description": "Ask for the next page with `after=` this; null on the last.",
                },
            },
        }
    )


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _named(noun: Any) -> dict[str, Any]:
    return {"$ref": _REF + noun.__name__}


class _Untitled(GenerateJsonSchema):
    """Without titles that only repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _schemas() -> dict[str, Any]:
    used = [noun for e in ENDPOINTS for noun in (e.answer, e.body) if isinstance(noun, type)]
    nouns = sorted({*used, Error}, key=lambda noun: noun.__name__)
    inputs: list[Any] = [(noun, "serialization", TypeAdapter(noun)) for noun in nouns]
    _, schema = TypeAdapter.json_schemas(
        inputs, ref_template=_REF + "{model}", schema_generator=_Untitled
    )
    return dict(sorted(schema["$defs"].items()))


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"wrote {FILE}")
