"""Describe the service as OpenAPI 3.1; served at /openapi.json."""

from __future__ import annotations

from service import __version__
from service.answer import to_json


def _json(schema: object, kind: str = "application/json") -> dict[str, object]:
    return {"schema": schema} if not kind else {kind: {"schema": schema}}


def _reply(text: str, schema: str, kind: str = "application/json") -> dict[str, object]:
    return {"description": text, "content": _json({"$ref": f"#/components/schemas/{schema}"}, kind)}


PROBLEM = {"$ref": "#/components/responses/Problem"}
STATUS_OK = _reply("in order", "Status")
DRAINING = _reply("about to stop: send no more requests", "Status")
ERRORS = {"400": PROBLEM, "405": PROBLEM, "413": PROBLEM, "414": PROBLEM, "431": PROBLEM}


def _get(name: str, summary: str, replies: dict[str, object], parameters: list[object] | None = None) -> object:
    operation: dict[str, object] = {"operationId": name, "summary": summary, "responses": {**replies, **ERRORS}}
    if parameters:
        operation["parameters"] = parameters
    return {"get": operation}


TZ = {
    "name": "tz",
    "in": "query",
    "description": "a zone of the IANA database; UTC when absent",
    "schema": {"type": "string", "maxLength": 50},
    "examples": {"berlin": {"value": "Europe/Berlin"}},
}
TIME = {
    "description": "the time; the bare timestamp when text/plain is preferred",
    "content": {
        **_json({"$ref": "#/components/schemas/Time"}),
        **_json({"type": "string"}, "text/plain"),
    },
}
SCHEMAS = {
    "Time": {
        "type": "object",
        "required": ["timestamp", "ip"],
        "additionalProperties": False,
        "properties": {"timestamp": {"type": "string", "format": "date-time"}, "ip": {"type": "string"}},
    },
    "Status": {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"enum": ["ok", "draining"]}},
    },
    "Version": {
        "type": "object",
        "required": ["version", "revision", "image"],
        "properties": {name: {"type": "string"} for name in ("version", "revision", "image")},
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    },
}

DOCUMENT = to_json(
    {
        "openapi": "3.1.0",
        "info": {"title": "SimpleTimeService", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": {
            "/": _get("time", "The time and the caller's address", {"200": TIME}, [TZ]),
            "/health": _get("health", "For the balancer", {"200": STATUS_OK}),
            "/livez": _get("livez", "Whether the process works", {"200": STATUS_OK}),
            "/readyz": _get("readyz", "Whether to send requests", {"200": STATUS_OK, "503": DRAINING}),
            "/startupz": _get("startupz", "Whether it has started", {"200": STATUS_OK}),
            "/version": _get("version", "What is running", {"200": _reply("names", "Version")}),
        },
        "components": {
            "schemas": SCHEMAS,
            "responses": {"Problem": _reply("refused", "Problem", "application/problem+json")},
        },
    }
)
