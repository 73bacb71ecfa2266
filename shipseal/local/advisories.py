"""Build the dry run's sample vulnerability database: a real Grype v6 database of the advisories in one TOML file.

The same file gives the same bytes. Only the tables that hold rows are made; `grype db import` adds the rest. Schema:
grype/db/v6/models.go and blobs.go, Grype 0.115 (model 6).
"""

import json
import sqlite3
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from shipseal.disk import text_of
from shipseal.errors import ConfigError
from shipseal.validation import Checked, check

SCHEMA = (6, 1, 7)  # Grype loads model 6 of any addition: 0.115 has 6.1.7, 0.121 has 6.1.10 and adds its own tables
_DEBIAN = ("debian", "debian", "12", "", "", "bookworm", "")
_TABLES = """
CREATE TABLE blobs (id integer PRIMARY KEY, value text NOT NULL);
CREATE TABLE db_metadata (build_timestamp datetime NOT NULL, model integer NOT NULL, revision integer NOT NULL,
  addition integer NOT NULL);
CREATE TABLE providers (id text PRIMARY KEY, version text, processor text, date_captured datetime, input_digest text);
CREATE TABLE vulnerability_handles (id integer PRIMARY KEY, name text NOT NULL, status text NOT NULL,
  published_date datetime, modified_date datetime, withdrawn_date datetime, provider_id text NOT NULL, blob_id integer);
CREATE TABLE packages (id integer PRIMARY KEY, ecosystem text, name text);
CREATE TABLE operating_systems (id integer PRIMARY KEY, name text, release_id text, major_version text,
  minor_version text, label_version text, codename text, channel text, eol_date datetime, eoas_date datetime);
CREATE TABLE affected_package_handles (id integer PRIMARY KEY, vulnerability_id integer NOT NULL,
  operating_system_id integer, package_id integer, blob_id integer);
"""


class SampleAdvisory(Checked):
    """One advisory as its source has it. `affected` is a version range; by default everything before `fixed-in`."""

    id: str = Field(pattern=r"^(CVE-\d{4}-\d{4,}|GHSA(-[0-9a-z]{4}){3})$")
    aliases: tuple[str, ...] = ()
    provider: Literal["debian", "github"]
    severity: Literal["critical", "high", "medium", "low", "negligible"]
    package: str = Field(min_length=1)
    affected: str = ""
    fixed_in: str = ""
    fix: Literal["fixed", "not-fixed", "wont-fix"] = "fixed"
    description: str = Field(min_length=1)
    source: str = Field(pattern="^https://")

    @model_validator(mode="after")
    def _fixed_says_where(self) -> Self:
        if (self.fix == "fixed") != bool(self.fixed_in):
            raise ValueError("give fixed-in, or fix = not-fixed or wont-fix, and not both")
        return self

    @property
    def constraint(self) -> str:
        """The range of affected versions; empty means all."""
        return self.affected or (f"< {self.fixed_in}" if self.fixed_in else "")


class Advisories(Checked):
    """The whole of `sample-advisories.toml`."""

    built: AwareDatetime
    advisory: tuple[SampleAdvisory, ...] = Field(min_length=1)


def read(path: Path) -> Advisories:
    """Read the advisories; raise `ConfigError` when the file is missing or one of them is incomplete."""
    try:
        document = tomllib.loads(text_of(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read", why=str(error), remedy="correct the file") from error
    return check(Advisories, document, path.name)


def build(advisories: Advisories, target: Path, processor: str = "sample") -> None:
    """Write the database to a file that does not exist yet; `processor` is who made it, by which a sample is known."""
    connection = sqlite3.connect(target)
    try:
        with connection:
            connection.executescript(_TABLES)
            _Writer(connection, advisories.built, processor).write(advisories.advisory)
    finally:
        connection.close()


class _Writer:
    """One pass over one new database, in the order of the advisories."""

    def __init__(self, connection: sqlite3.Connection, built: datetime, processor: str) -> None:
        self._connection, self._processor = connection, processor
        self._built = built.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+00:00")

    def write(self, advisories: Iterable[SampleAdvisory]) -> None:
        every = tuple(advisories)
        self._insert("db_metadata", self._built, *SCHEMA)
        for provider in sorted({advisory.provider for advisory in every}):
            self._insert("providers", provider, "1", self._processor, self._built, "xxh64:0000000000000000")
        self._insert("operating_systems", None, *_DEBIAN, None, None)
        names = sorted({(_ecosystem(advisory), advisory.package) for advisory in every})
        packages = {key: self._insert("packages", None, *key) for key in names}
        for advisory in every:
            self._advisory(advisory, packages[_ecosystem(advisory), advisory.package])

    def _advisory(self, advisory: SampleAdvisory, package: int) -> None:
        about = self._blob(
            {
                "id": advisory.id,
                "description": advisory.description,
                "refs": [{"url": advisory.source}],
                "aliases": list(advisory.aliases),
                "severities": [{"scheme": "CHML", "value": advisory.severity, "rank": 1}],
            }
        )
        when = (self._built, self._built, None)
        handle = self._insert("vulnerability_handles", None, advisory.id, "active", *when, advisory.provider, about)
        version = {"type": "deb" if advisory.provider == "debian" else "python", "constraint": advisory.constraint}
        fix = {"version": advisory.fixed_in, "state": advisory.fix}
        affected = self._blob({"cves": list(advisory.aliases), "ranges": [{"version": version, "fix": fix}]})
        system = 1 if advisory.provider == "debian" else None
        self._insert("affected_package_handles", None, handle, system, package, affected)

    def _blob(self, value: Any) -> int:
        return self._insert("blobs", None, json.dumps(value, sort_keys=True, separators=(",", ":")))

    def _insert(self, table: str, *values: object) -> int:
        marks = ",".join("?" * len(values))
        cursor = self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - own names
        return cursor.lastrowid or 0


def _ecosystem(advisory: SampleAdvisory) -> str:
    return "deb" if advisory.provider == "debian" else "python"
