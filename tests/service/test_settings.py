"""Every setting is read, checked and described."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import service
from service.cpus import available_cpus
from service.settings import OPTIONS, SettingError, Settings

BAD = {
    "PORT": "65536",
    "METRICS_PORT": "none",
    "WORKERS": "0",
    "TRUSTED_PROXIES": "10.0.0.1/8",
    "CLIENT_IP_STRATEGY": "last",
    "TRUSTED_HOPS": "31",
    "DRAIN_SECONDS": "-1",
    "STOP_SECONDS": "nan",
    "IDLE_TIMEOUT": "0",
    "REQUEST_TIMEOUT": "inf",
    "CONNECTION_LIMIT": "1",
    "WATCHDOG_SECONDS": "0.1",
    "LOG_LEVEL": "loud",
    "ACCESS_LOG": "1.5",
    "DEBUG_IP": "maybe",
    "REVISION": "x" * 201,
    "IMAGE_DIGEST": "\N{SNOWMAN}",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4318",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    "OTEL_EXPORTER_OTLP_HEADERS": "host=other",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "0",
    "OTEL_BSP_SCHEDULE_DELAY": "5s",
    "OTEL_SERVICE_NAME": "x" * 201,
    "OTEL_RESOURCE_ATTRIBUTES": "a=%0a",
    "OTEL_TRACES_SAMPLER": "jaeger_remote",
    "OTEL_TRACES_SAMPLER_ARG": "2",
}


def test_every_default_is_valid_and_every_setting_is_there() -> None:
    settings = Settings.from_environment({})
    assert sorted(vars(settings)) == sorted(Settings.__annotations__)
    assert settings.port == 8080
    assert settings.metrics_port == 9090


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_one_line_that_names_the_setting(name: str) -> None:
    with pytest.raises(SettingError, match=rf"^{name}=[^\n]*: ") as caught:
        Settings.from_environment({name: BAD[name]})
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    "url",
    [
        "collector:4318",
        "http://",
        "http://collector:0",
        "http://collector:65536",
        "http://user:word@collector",
        "http://collector/?a",
        "http://[::1/",
        "http://a b",
        "http://collector\r\nHost: x",
    ],
)
def test_what_is_no_http_url_is_no_receiver(url: str) -> None:
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        Settings.from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": url})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://collector:4318", ("collector", 4318, "/v1/traces")),
        ("http://collector", ("collector", 80, "/v1/traces")),
        ("http://[::1]:4318/otlp/", ("::1", 4318, "/otlp/v1/traces")),
    ],
)
def test_traces_go_below_the_url_that_is_given(url: str, expected: tuple[str, int, str]) -> None:
    endpoint = Settings.from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": url}).otel_exporter_otlp_endpoint
    assert endpoint
    assert (endpoint.host, endpoint.port, endpoint.path) == expected


def test_on_and_off_are_shares_of_what_can_be_switched_and_of_nothing_else() -> None:
    settings = Settings.from_environment({"ACCESS_LOG": "off", "OTEL_TRACES_SAMPLER_ARG": "0.5"})
    assert (settings.access_log, settings.otel_traces_sampler_arg) == (0, 0.5)
    with pytest.raises(SettingError, match=r"expected a share from 0 to 1$"):
        Settings.from_environment({"OTEL_TRACES_SAMPLER_ARG": "on"})


def test_an_error_shows_no_header_that_may_be_a_credential() -> None:
    with pytest.raises(SettingError) as caught:
        Settings.from_environment({"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20secret,host=x"})
    assert "secret" not in str(caught.value)


def test_bad_has_every_setting_that_can_be_wrong() -> None:
    assert {option.name for option in OPTIONS} - set(BAD) == {"HOST"}


@given(
    st.sampled_from([option.name for option in OPTIONS]), st.text(st.characters(exclude_characters="\0"), max_size=300)
)
def test_any_text_is_a_value_or_a_setting_error(name: str, text: str) -> None:
    with suppress(SettingError):
        Settings.from_environment({name: text})


def test_help_lists_every_setting() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "service", "--help"],
        cwd=Path(service.__file__).parent.parent,
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert [name for name in (option.name for option in OPTIONS) if name not in out] == []


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({}, None),
    ],
)
def test_workers_follow_the_cgroups_quota(tmp_path: Path, files: dict[str, str], quota: int | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    everything = available_cpus(str(tmp_path / "nothing"))
    assert available_cpus(str(tmp_path)) == (quota or everything)


def test_a_quota_of_one_and_a_half_is_two_workers(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert available_cpus(str(tmp_path)) == min(2, available_cpus(str(tmp_path / "nothing")))
