"""Read the settings of tracing: the variables of OpenTelemetry's specification, as far as they mean something here.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from service.values import Option, choice, share, text, whole

NAME = re.compile(r"[A-Za-z0-9_.~!#$%&'*+^`|-]{1,128}", re.ASCII)  # a token, RFC 9110 section 5.6.2
URL = re.compile(r"http://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?(/[!-~]*)?", re.ASCII)
OURS = frozenset({"connection", "content-length", "content-type", "expect", "host", "transfer-encoding", "upgrade"})
MOST = 32  # pairs
SAMPLERS = tuple(based + name for based in ("", "parentbased_") for name in ("always_on", "always_off", "traceidratio"))


class Endpoint:
    """Where spans go."""

    __slots__ = ("host", "path", "port", "shown")

    def __init__(self, host: str, port: int, path: str) -> None:
        """Take a name or an address without brackets, a port, and the path of traces."""
        self.host, self.port, self.path = host, port, path
        self.shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def endpoint(raw: str) -> Endpoint | None:
    """Read the base URL of a receiver; none switches tracing off."""
    if not raw:
        return None
    if raw.lower().startswith("https:"):
        raise ValueError("expected http://, for there is no TLS here: name a collector beside the service")
    match = URL.fullmatch(raw)
    if not match or not 0 < int(match[2] or "80") < 65536 or set("?#") & set(raw):
        raise ValueError("expected http://HOST[:PORT][/PATH]")
    return Endpoint(match[1].strip("[]"), int(match[2] or "80"), (match[3] or "").rstrip("/") + "/v1/traces")


def pairs(raw: str) -> dict[str, str]:
    """Read name=value pairs with commas between; values are percent-encoded, as in W3C Baggage."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in raw.split(","))):
        name, equals, value = (word.strip() for word in part.partition("="))
        value = unquote(value)
        if not equals or not NAME.fullmatch(name) or len(value) > 1024 or not value.isprintable():
            raise ValueError("expected NAME=VALUE,..., each value printable and percent-encoded")
        found[name] = value
    if len(found) > MOST:
        raise ValueError(f"expected at most {MOST} pairs")
    return found


def headers(raw: str) -> dict[str, str]:
    """Read header fields that are sent along; those that frame the request are not to be chosen."""
    found = pairs(raw)
    if any(name.lower() in OURS or not value.isascii() for name, value in found.items()):
        raise ValueError(f"expected ASCII, and none of {', '.join(sorted(OURS))}")
    return found


OPTIONS = (
    Option("OTEL_EXPORTER_OTLP_ENDPOINT", "", endpoint, "http://HOST:PORT that takes traces; none: there are none"),
    Option("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", choice("http/json"), "how they are written"),
    Option("OTEL_EXPORTER_OTLP_HEADERS", "", headers, "header fields sent along: NAME=VALUE,NAME=VALUE", shown=False),
    Option("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", whole(100, 60000), "longest wait for the receiver, in ms"),
    Option("OTEL_BSP_SCHEDULE_DELAY", "5000", whole(10, 60000), "time in which spans are collected, in ms"),
    Option("OTEL_SERVICE_NAME", "", text, "service.name of the traces; else that of the attributes"),
    Option("OTEL_RESOURCE_ATTRIBUTES", "", pairs, "what the traces tell of this instance: NAME=VALUE,NAME=VALUE"),
    Option("OTEL_TRACES_SAMPLER", "parentbased_always_on", choice(*SAMPLERS), "which requests are traced"),
    Option("OTEL_TRACES_SAMPLER_ARG", "1", share(), "share of them, for traceidratio"),
)
