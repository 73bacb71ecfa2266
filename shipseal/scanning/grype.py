"""Run Grype: one database, no network, nothing from its own configuration or the user's environment.

Its settings are environment variables (Grype, "Configuration"); exit code 1 is any error, and `-q` hides its text.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from shipseal import strict
from shipseal.address import without_secrets
from shipseal.digest import Digest
from shipseal.disk import text_of
from shipseal.documents.document import DigestText, Foreign, problems
from shipseal.documents.scan import DatabaseDocument, DatabaseParts, GrypeStatus, ImportedDocument
from shipseal.errors import ConfigError, RemoteFailed, ToolFailed, VerificationFailed
from shipseal.scanning import canary, findings
from shipseal.times import read_time
from shipseal.tools.outputs import Completed
from shipseal.tools.toolbox import Toolbox

IDENTITY = "database.json"
SAMPLE = "sample"
"""The processor of every provider in the sample database of a dry run (`grype db providers`)."""

_LARGEST = 256 << 20
_GET_ONE = "get a whole one: `shipseal db update`, or `db import FILE`"


class LoadedDatabase(GrypeStatus):
    """What `grype db status` says; `origin` is the address or the file that the database came from."""

    origin: str = Field(default="", validation_alias="from")


class DatabaseProvider(Foreign):
    """A line of `grype db providers`: who made the data of a source."""

    processor: str


_PROVIDERS = TypeAdapter(tuple[DatabaseProvider, ...])


class Identity(DatabaseParts):
    """Which database it is, and `content`: sha256 of the database that Grype made of that file, and reads."""

    model_config = ConfigDict(extra="ignore")

    content: DigestText

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the identity that an import left beside the database.

        Raises:
            ConfigError: there is none, so nobody knows which database it is.
        """
        try:
            return cls.model_validate_json(text_of(directory / IDENTITY), by_alias=True, by_name=False)
        except (OSError, ValueError) as error:
            why = problems(error) if isinstance(error, ValidationError) else [f"{type(error).__name__}: {error}"]
            raise ConfigError(
                f"{directory} holds no imported vulnerability database",
                why=[f"{IDENTITY}: {each}" for each in why],
                remedy="run `shipseal db import FILE`, or `db update` where there is a network",
            ) from error

    @classmethod
    def recorded(cls, database: DatabaseDocument, imported: ImportedDocument) -> Self:
        """Put together what `split` took apart."""
        return cls(**dict(database), content=imported.content)

    def split(self) -> tuple[DatabaseDocument, ImportedDocument]:
        """Return which database it is, the same for everybody; and which bytes Grype made of it, others each time."""
        same = {name: value for name, value in self if name != "content"}
        return DatabaseDocument(**same), ImportedDocument(content=self.content)

    def as_json(self) -> dict[str, Any]:
        """Return it as an import leaves it beside the database."""
        return self.model_dump(mode="json", by_alias=True)

    def describe(self, now: datetime) -> str:
        """Return the words without which no count of findings may be shown."""
        built = read_time(self.built)
        if self.sample:
            return f"SAMPLE database of {built.date()}"
        if built > now:
            return f"database of {built.date()}, which is later than now"
        return f"database of {built.date()}, {(now - built).days} days old"


@dataclass(frozen=True)
class Grype:
    """Grype with the database in one directory; what it leaves elsewhere goes into `scratch`."""

    tools: Toolbox
    directory: Path
    scratch: Path

    async def load(self, source: Path, origin: str, *, sample: bool = False) -> Identity:
        """Import a database file into the directory, and write down which one it is; raise `ToolFailed`."""
        self._empty()
        checksum = Digest.of_file(source)
        await self._run("db", "import", source)
        return await self._identify(checksum, origin, sample=sample)

    async def update(self, listing: str = "") -> Identity:
        """Download the latest database into the directory, and write down which one it is.

        Args:
            listing: the address of a mirror's `latest.json`; Grype's own by default.

        Raises:
            RemoteFailed: it could not be fetched, or is not what the listing says.
        """
        self._empty()
        more = {"GRYPE_DB_UPDATE_URL": listing} if listing else {}
        try:
            await self._run("db", "update", more=more)
        except ToolFailed as error:
            remedy = "see whether the address can be reached; behind a closed network, `db import FILE`"
            why = [without_secrets(line) for line in error.why]
            raise RemoteFailed("the vulnerability database cannot be fetched", why=why, remedy=remedy) from error
        # Grype has compared the archive with the checksum of the listing, and keeps both in where it came from.
        origin = urlsplit((await self._status()).origin)
        checksum = dict(parse_qsl(origin.query)).get("checksum", "")
        return await self._identify(
            Digest.parse(checksum), without_secrets(urlunsplit(origin._replace(query=""))), sample=False
        )

    async def loaded(self) -> str:
        """Have Grype load the database; return its schema, or raise `ToolFailed` with what Grype says against it."""
        return (await self._status()).schema_version

    def _empty(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)

    async def _status(self) -> LoadedDatabase:
        try:
            return LoadedDatabase.model_validate_json((await self._run("db", "status", "-o", "json")).stdout)
        except ValidationError as error:
            raise ToolFailed("Grype does not say which database it has", why=problems(error)) from error

    async def _identify(self, checksum: Digest, origin: str, *, sample: bool) -> Identity:
        status = await self._status()
        identity = Identity(
            built=status.built,
            schema_version=status.schema_version,
            checksum=checksum,
            content=Digest.of_file(self._file()),
            source=origin,
            sample=sample or await self._is_sample(),
        )
        text = json.dumps(identity.as_json(), indent=2, sort_keys=True) + "\n"
        (self.directory / IDENTITY).write_text(text, encoding="utf-8")
        return identity

    async def _is_sample(self) -> bool:
        """Say whether it is a sample under whatever name it comes: that is written in it, too."""
        try:
            providers = _PROVIDERS.validate_json((await self._run("db", "providers", "-o", "json")).stdout)
        except ValidationError as error:
            raise ToolFailed("Grype does not say who made its database", why=problems(error)) from error
        return any(each.processor == SAMPLE for each in providers)

    def _file(self) -> Path:
        found = sorted(self.directory.glob("*/vulnerability.db"))
        if len(found) != 1:
            raise ConfigError(
                f"{self.directory} holds {len(found)} vulnerability databases, and one is needed", remedy=_GET_ONE
            )
        return found[0]

    def require_same(self, identity: Identity) -> None:
        """Hash the database; raise `VerificationFailed` when it is another than the one on record."""
        found = Digest.of_file(self._file())
        if found != identity.content:
            raise VerificationFailed(
                f"the vulnerability database in {self.directory} is not the one that was imported",
                why=(f"expected {identity.content}", f"found    {found}"),
                remedy=f"find out who changed it; {_GET_ONE}",
            )

    async def scan(self, document: Path, vex: Path | None = None) -> Any:
        """Scan an SBOM and return Grype's report; raise `ToolFailed` when it failed or what it wrote is no JSON."""
        more: list[str | Path] = ["--vex", vex] if vex else []
        report = self.scratch / "report.json"
        await self._run("-o", "json", *more, "--", f"sbom:{_whole(document)}", to=report)
        try:
            return strict.loads(_take(report))
        except (ValueError, RecursionError) as error:
            raise ToolFailed(
                "Grype wrote no readable report", why=str(error), remedy="see the stage's log.txt"
            ) from error

    async def require_canary(self) -> None:
        """Scan packages that are known to be vulnerable; raise `ToolFailed` when they are not found.

        A database without advisories is no error to Grype, and a matcher that is switched off finds nothing.
        """
        document = self.scratch / "canary.cdx.json"
        document.write_text(json.dumps(canary.DOCUMENT))
        report = findings.read(await self.scan(document))
        document.unlink()
        if blind := canary.missed(report):
            raise ToolFailed(
                "the vulnerability database does not know what every database knows",
                why=[f"not found: {each}" for each in blind],
                remedy="get a whole database: `shipseal db update`, or `db import FILE`",
            )

    async def _run(
        self, *arguments: str | Path, to: Path | None = None, more: Mapping[str, str] | None = None
    ) -> Completed:
        # It would read .grype.yaml where it runs and at home: neither is ours to obey.
        home = self.scratch / "home"
        home.mkdir(exist_ok=True)
        settings = {
            "GRYPE_DB_AUTO_UPDATE": "false",
            "GRYPE_DB_VALIDATE_AGE": "false",  # the age is policy, judged by `assess` against the run's clock
            "GRYPE_CHECK_FOR_APP_UPDATE": "false",
            "GRYPE_DB_CACHE_DIR": str(_whole(self.directory)),
            "XDG_CONFIG_HOME": str(_whole(home)),
            "HOME": str(_whole(home)),
            **(more or {}),
        }
        whole = [_whole(each) if isinstance(each, Path) else each for each in arguments]
        done = await self.tools.run("grype", *whole, cwd=home, env=settings, stdout_to=to)
        shutil.rmtree(home)
        return done


def _whole(path: Path) -> Path:
    """Return a path that means the same wherever a child runs."""
    return path.resolve()


def _take(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST:
        raise ToolFailed(f"Grype's report has more than {_LARGEST >> 20} MiB", remedy="see what the SBOM lists")
    data = path.read_bytes()
    path.unlink()
    return data
