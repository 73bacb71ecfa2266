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
