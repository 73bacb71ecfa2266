"""Read every setting from the environment, once, at the start, and say what is wrong with it."""

from __future__ import annotations

import os

from service import otel
from service.client_ip import Networks, parse_networks
from service.values import Option, choice, port_or_off, seconds, share, switch, text, whole, workers

TYPE_CHECKING = False  # `typing` costs 1.2 MB of memory at run time
if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PROXIES = "127.0.0.0/8 ::1/128 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 169.254.0.0/16 fe80::/10"
LEVELS = ("debug", "info", "warning", "error")
STRATEGIES = ("first", "trusted-hops")


class SettingError(Exception):
    """A setting that cannot be used; the message is one line for the operator."""


class Settings:
    """What the operator chose. Build it with `from_environment`; nothing changes it afterwards."""

    host: str
    port: int
    metrics_port: int | None
    workers: int
    trusted_proxies: Networks
    client_ip_strategy: str
    trusted_hops: int
    drain_seconds: float
    stop_seconds: float
    idle_timeout: float
    request_timeout: float
    connection_limit: int
    watchdog_seconds: float
    log_level: str
    access_log: float
    debug_ip: bool
    revision: str
    image_digest: str
    otel_exporter_otlp_endpoint: otel.Endpoint | None
    otel_exporter_otlp_protocol: str
    otel_exporter_otlp_headers: dict[str, str]
    otel_exporter_otlp_timeout: int
    otel_bsp_schedule_delay: int
    otel_service_name: str
    otel_resource_attributes: dict[str, str]
    otel_traces_sampler: str
    otel_traces_sampler_arg: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Check every setting in `environment` (default: the process's own).

        Raises:
            SettingError: a value cannot be used; the message names the setting, the value and what is expected.
        """
        environment = os.environ if environment is None else environment
        settings = cls()
        for option in OPTIONS:
            raw = environment.get(option.name, "").strip() or option.default
            try:
                value = option.read(raw)
            except ValueError as problem:
                shown = ascii(raw[:80]) if option.shown else "..."
                raise SettingError(f"{option.name}={shown}: {problem}") from None
            setattr(settings, option.name.lower(), value)
        return settings

    @property
    def pulse(self) -> float:
        """Seconds after which a loop turns at the latest: one that is idle must not look like one that hangs."""
        return min(1.0, self.watchdog_seconds / 4) if self.watchdog_seconds else 1.0


OPTIONS = (
    Option("HOST", "0.0.0.0", text, "address to listen on; :: listens on IPv4 too"),  # noqa: S104
    Option("PORT", "8080", whole(0, 65535), "port of the service; 0 takes a free one"),
    Option("METRICS_PORT", "9090", port_or_off, "port of /metrics; 0 takes a free one, off closes it"),
    Option("WORKERS", "auto", workers, "processes that answer; auto: one for each CPU the cgroup grants"),
    Option("TRUSTED_PROXIES", DEFAULT_PROXIES, parse_networks, "networks whose X-Forwarded-For and X-Real-IP count"),
    Option("CLIENT_IP_STRATEGY", "first", choice(*STRATEGIES), "first: leftmost address; trusted-hops: from the right"),
    Option("TRUSTED_HOPS", "1", whole(1, 30), "proxies in front, for trusted-hops; the peer is the first"),
    Option("DRAIN_SECONDS", "5", seconds(0, 3600), "time from SIGTERM, when /readyz fails, until no more is accepted"),
    Option("STOP_SECONDS", "10", seconds(0, 3600), "longest wait after that for requests in flight"),
    Option("IDLE_TIMEOUT", "75", seconds(1, 3600), "idle keep-alive; keep it above the balancer's (60)"),
    Option("REQUEST_TIMEOUT", "20", seconds(0.1, 3600), "time a client has to send a request, or to read an answer"),
    Option("CONNECTION_LIMIT", "4096", whole(16, 65536), "open connections of one worker; more wait in the queue"),
    Option(
        "WATCHDOG_SECONDS", "15", seconds(0.5, 3600, off=True), "a worker that hangs so long is replaced; 0 never does"
    ),
    Option("LOG_LEVEL", "info", choice(*LEVELS), "least level that is logged; access lines are info"),
    Option(
        "ACCESS_LOG",
        "on",
        share(words=True),
        "on, off, or the share of requests that is logged (0.01); errors always are",
    ),
    Option("DEBUG_IP", "off", switch, "answer /debug/ip, which explains why an address was chosen"),
    Option("REVISION", "unknown", text, "source revision that /version tells"),
    Option("IMAGE_DIGEST", "unknown", text, "image digest that /version tells"),
    *otel.OPTIONS,
)


def help_text() -> str:
    """Return what `--help` prints: every setting with its default and its meaning."""
    lines = [f"  {option.name:<29}{option.meaning}\n{'':31}default: {option.default}" for option in OPTIONS]
    return "usage: python -m service [--help | --version]\n\nSettings, from the environment:\n\n" + "\n".join(lines)
