"""The OpenAPI 3.1 document, made from the endpoints themselves.

Problem   A document written by hand drifts from what the code does.
Idea      Routes carry their models; pydantic gives the schemas; problem.py gives the errors. Each model's
          definition is hoisted to components under its name, made longer where two services share a name.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from services.platform.access import ACCESS
from services.platform.http import adapter
from services.platform.problem import PROBLEMS
from services.platform.service import Route, Service

_GENERAL = ("malformed_request", "not_found", "internal_error", "service_unavailable", "rate_limited")
_REF = "#/components/schemas/{model}"


class _Schemas:
    """Collects definitions under unique names."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def of(self, kind: Any, mode: Any, tag: str) -> dict[str, Any]:
        schema = adapter(kind).json_schema(mode=mode, ref_template=_REF)
        definitions = schema.pop("$defs", {})
        renamed = {name: self._name(name, body, tag) for name, body in definitions.items()}
        for name, body in definitions.items():
            self.components[renamed[name]] = _rename(body, renamed)
        result: dict[str, Any] = _rename(schema, renamed)
        return result

    def _name(self, name: str, body: Any, tag: str) -> str:
        known = self.components.get(name)
        return name if known is None or known == body else f"{tag.title().replace(' ', '')}{name}"


def _rename(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: _REF.format(model=names.get(value.rsplit("/", 1)[-1], value.rsplit("/", 1)[-1]))
            if key == "$ref" and isinstance(value, str)
            else _rename(value, names)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_rename(each, names) for each in node]
    return node


def build_openapi(services: Sequence[Service], *, version: str) -> dict[str, Any]:
    """The document for these services' endpoints."""
    schemas = _Schemas()
    paths: dict[str, Any] = {}
    for service in services:
        for route in service.routes:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    schemas.components["Problem"] = _PROBLEM_SCHEMA
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tsunagu",
            "version": version,
            "description": "One search, one price, one payment for the whole way; fair settlement behind it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    allowed = ACCESS[route.operation]
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*_path_parameters(route, schemas), *_query_parameters(route, schemas)],
        "responses": _responses(route, schemas, is_public=not allowed),
        "security": [{"bearer": []}] if allowed else [],
    }
    if allowed:
        operation["description"] = "For: " + ", ".join(sorted(allowed)) + "."
    if route.idempotent:
        operation["parameters"].append(_IDEMPOTENCY_KEY)
    operation["parameters"] += [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in route.headers.items()
    ]
    if route.body is not None:
        schema = schemas.of(route.body, "validation", route.tag)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _path_parameters(route: Route, schemas: _Schemas) -> list[dict[str, Any]]:
    names = [part[1:-1].split(":")[0] for part in route.path.split("/") if part.startswith("{")]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": schemas.of(route.path_types.get(name, str), "validation", route.tag),
        }
        for name in (each.split("}")[0] for each in names)
    ]


def _query_parameters(route: Route, schemas: _Schemas) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    assert issubclass(route.query, BaseModel), "a query is a pydantic model"
    schema = schemas.of(route.query, "validation", route.tag)
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in each.items() if key != "description"},
            **({"description": each["description"]} if "description" in each else {}),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _responses(route: Route, schemas: _Schemas, *, is_public: bool) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if route.response is not None:
        schema = schemas.of(route.response, "serialization", route.tag)
        content = {route.media_type: {"schema": schema}}
        responses[str(route.status)] = {"description": route.summary, "content": content}
    elif route.media_type == "application/json":
        responses["204"] = {"description": "Done."}
    else:
        content = {route.media_type: {"schema": {"type": "string"}}}
        responses[str(route.status)] = {"description": route.summary, "content": content}
    for status, codes in sorted(_problem_codes(route, is_public=is_public).items()):
        responses[str(status)] = {
            "description": "; ".join(f"{code}: {PROBLEMS[code].title}" for code in codes),
            "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
        }
    return responses


def _problem_codes(route: Route, *, is_public: bool) -> dict[int, list[str]]:
    codes = [*_GENERAL, *route.problems]
    if not is_public:
        codes += ["token_missing", "token_invalid", "forbidden"]
    if route.body is not None or route.query is not None or "{" in route.path:
        codes += ["validation_failed"]
    if route.body is not None:
        codes += ["body_too_large", "unsupported_media_type"]
    if route.idempotent:
        codes += ["idempotency_key_required", "idempotency_in_progress", "idempotency_key_reused"]
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return by_status


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A value of your choice, new for each new command; a repeat gets the first reply.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}

_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "code", "title", "status", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "code": {"type": "string", "enum": sorted(PROBLEMS)},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error": {"type": "string", "description": "The detail again, for clients of the MOTIS API."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
