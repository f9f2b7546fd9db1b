"""The reference of the API, made of the same document that /openapi.json serves."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.pages.rendering import render

router = APIRouter()

METHODS = ("get", "post", "patch", "put", "delete")


@router.get("/docs")
async def show_reference(request: Request) -> Response:
    """Every route with its parameters, an example and its answers; open to all, as the document is."""
    document = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                group = (operation.get("tags") or ["other"])[0]
                groups.setdefault(group, []).append(_describe(document, path, method, operation))
    return render(request, "reference.html", {"groups": groups, "base": str(request.base_url).rstrip("/")})


def _describe(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    body = _example_body(document, operation)
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "parameters": operation.get("parameters", []),
        "fields": _fields(document, operation),
        "body": body,
        "answer": _example_answer(operation),
        "answers": [(code, answer.get("description", "")) for code, answer in operation.get("responses", {}).items()],
    }


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"].get(name, schema) if name else schema


def _json_schema(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return _resolve(document, content.get("application/json", {}).get("schema", {}))


def _fields(document: dict[str, Any], operation: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """(name, description, whether it is needed) of the body's fields."""
    schema = _json_schema(document, operation)
    needed = set(schema.get("required", []))
    return [
        (name, definition.get("description", ""), name in needed)
        for name, definition in schema.get("properties", {}).items()
    ]


def _example_body(document: dict[str, Any], operation: dict[str, Any]) -> str | None:
    examples = _json_schema(document, operation).get("examples", [])
    return json.dumps(examples[0], indent=2) if examples else None


def _example_answer(operation: dict[str, Any]) -> str | None:
    """What a success looks like, as text; None where it is no document."""
    for code, answer in operation.get("responses", {}).items():
        example = answer.get("content", {}).get("application/json", {}).get("example")
        if code.startswith("2") and example is not None:
            return json.dumps(example, indent=2, ensure_ascii=False)
    return None
