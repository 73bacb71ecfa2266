"""The sample database is a real Grype database, the same bytes for the same advisories."""

import sqlite3
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError
from shipseal.local.advisories import build, read
from shipseal.project.config import HOME

SHIPPED = HOME / "policy" / "sample-advisories.toml"
ADVISORY = """
built = 2026-11-25T00:00:00Z
[[advisory]]
id = "CVE-2030-1234"
provider = "debian"
severity = "high"
package = "zlib"
fixed-in = "2"
description = "an advisory for a test"
source = "https://example.com/"
"""


def test_the_same_advisories_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1.db", tmp_path / "2.db"
    build(read(SHIPPED), first)
    build(read(SHIPPED), second)
    assert Digest.of_file(first) == Digest.of_file(second)


def test_every_advisory_is_in_the_database(tmp_path: Path) -> None:
    build(read(SHIPPED), tmp_path / "sample.db")
    with sqlite3.connect(tmp_path / "sample.db") as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM vulnerability_handles")]
    connection.close()
    assert names == [advisory.id for advisory in read(SHIPPED).advisory]


def test_what_we_ship_names_a_source_for_every_advisory_and_none_twice() -> None:
    advisories = read(SHIPPED).advisory
    assert len({advisory.id for advisory in advisories}) == len(advisories)
    assert all(advisory.id in advisory.source for advisory in advisories)


def test_an_advisory_that_is_fixed_affects_what_comes_before(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(ADVISORY)
    (advisory,) = read(tmp_path / "a.toml").advisory
    assert advisory.constraint == "< 2"


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("CVE-2030-1234", "SAMPLE-1", "advisory.0.id"),
        ('severity = "high"', 'severity = "unheard"', "advisory.0.severity"),
        ('fixed-in = "2"', "", "give fixed-in, or fix"),
        ('fixed-in = "2"', 'fixed-in = "2"\nfix = "wont-fix"', "give fixed-in, or fix"),
        ("https://example.com/", "I heard it", "advisory.0.source"),
        ("[[advisory]]", "[[advisories]]", "did you mean advisory"),
        ("2026-11-25T00:00:00Z", "2026-11-25T00:00:00", "built: 2026-11-25T00:00:00 has no time zone"),
        ("built", "built built", "cannot be read"),
    ],
)
def test_an_advisory_that_is_not_whole_is_refused(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    path = tmp_path / "sample-advisories.toml"
    path.write_text(ADVISORY.replace(before, after))
    with pytest.raises(ConfigError) as refused:
        read(path)
    assert complaint in refused.value.explain()


def test_no_advisories_are_no_sample(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("built = 2026-11-25T00:00:00Z\nadvisory = []\n")
    with pytest.raises(ConfigError):
        read(tmp_path / "a.toml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read"):
        read(tmp_path / "nowhere.toml")
