"""Run Grype: one database, no network, nothing from its own configuration or the user's environment.

Its settings are environment variables (Grype, "Configuration"); exit code 1 is any error, and `-q` hides its text.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from shipseal import strict
from shipseal.address import without_secrets
from shipseal.digest import Digest
from shipseal.disk import text_of
from shipseal.errors import ConfigError, RemoteFailed, ToolFailed, VerificationFailed
from shipseal.scanning import canary
from shipseal.times import read_time
from shipseal.tools.outputs import Completed
from shipseal.tools.toolbox import Toolbox

IDENTITY = "database.json"
SAMPLE = "sample"
"""The processor of every provider in the sample database of a dry run (`grype db providers`)."""

_LARGEST = 256 << 20
_GET_ONE = "get a whole one: `shipseal db update`, or `db import FILE`"


@dataclass(frozen=True)
class Identity:
    """Which database it is.

    Args:
        built: when it was built, RFC 3339.
        schema: its schema, as Grype says it.
        checksum: sha256 of the file that it was imported from.
        content: sha256 of the database that Grype made of that file, and reads.
        source: where that file came from.
        sample: whether it holds no more than a few advisories, for a dry run.
    """

    built: str
    schema: str
    checksum: str
    content: str
    source: str
    sample: bool

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the identity that an import left beside the database.

        Raises:
            ConfigError: there is none, so nobody knows which database it is.
        """
        try:
            value = json.loads(text_of(directory / IDENTITY))
            return cls.restore({name: value[name] for name in cls.__dataclass_fields__})
        except (OSError, ValueError, KeyError, TypeError, RecursionError, VerificationFailed) as error:
            raise ConfigError(
                f"{directory} holds no imported vulnerability database",
                why=f"{IDENTITY}: {type(error).__name__}: {error}",
                do="run `shipseal db import FILE`, or `db update` where there is a network",
            ) from error

    @classmethod
    def restore(cls, value: Mapping[str, Any]) -> Self:
        """Read back what `as_json` or `split` gave; raise `TypeError` or `VerificationFailed` for anything else."""
        if any(not isinstance(value[name], bool if name == "sample" else str) for name in cls.__dataclass_fields__):
            raise TypeError("a value is of another type than an import writes")
        read_time(value["built"])
        for name in ("checksum", "content"):
            Digest.parse(value[name])
        return cls(**{name: value[name] for name in cls.__dataclass_fields__})

    def as_json(self) -> dict[str, Any]:
        """Return it as an import leaves it beside the database."""
        return asdict(self)

    def split(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return which database it is, the same for everybody; and which bytes Grype made of it, others each time."""
        value = self.as_json()
        return {name: value[name] for name in value if name != "content"}, {"content": self.content}

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
        checksum = str(Digest.of_file(source))
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
            do = "see whether the address can be reached; behind a closed network, `db import FILE`"
            why = [without_secrets(line) for line in error.why]
            raise RemoteFailed("the vulnerability database cannot be fetched", why=why, do=do) from error
        # Grype has compared the archive with the checksum of the listing, and keeps both in where it came from.
        origin = urlsplit(str((await self._status())["from"]))
        checksum = dict(parse_qsl(origin.query)).get("checksum", "")
        return await self._identify(
            str(Digest.parse(checksum)), without_secrets(urlunsplit(origin._replace(query=""))), sample=False
        )

    async def loaded(self) -> str:
        """Have Grype load the database; return its schema, or raise `ToolFailed` with what Grype says against it."""
        return str((await self._status())["schemaVersion"])

    def _empty(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)

    async def _status(self) -> Any:
        try:
            return json.loads((await self._run("db", "status", "-o", "json")).stdout)
        except (ValueError, RecursionError) as error:
            raise ToolFailed("Grype does not say which database it has", why=str(error)) from error

    async def _identify(self, checksum: str, origin: str, *, sample: bool) -> Identity:
        status = await self._status()
        content = str(Digest.of_file(self._file()))
        sample = sample or await self._is_sample()
        identity = Identity(str(status["built"]), str(status["schemaVersion"]), checksum, content, origin, sample)
        text = json.dumps(identity.as_json(), indent=2, sort_keys=True) + "\n"
        (self.directory / IDENTITY).write_text(text, encoding="utf-8")
        return identity

    async def _is_sample(self) -> bool:
        """Say whether it is a sample under whatever name it comes: that is written in it, too."""
        try:
            providers = json.loads((await self._run("db", "providers", "-o", "json")).stdout)
            return any(each["processor"] == SAMPLE for each in providers)
        except (ValueError, KeyError, TypeError) as error:
            raise ToolFailed("Grype does not say who made its database", why=str(error)) from error

    def _file(self) -> Path:
        found = sorted(self.directory.glob("*/vulnerability.db"))
        if len(found) != 1:
            raise ConfigError(
                f"{self.directory} holds {len(found)} vulnerability databases, and one is needed", do=_GET_ONE
            )
        return found[0]

    def require_same(self, identity: Identity) -> None:
        """Hash the database; raise `VerificationFailed` when it is another than the one on record."""
        found = str(Digest.of_file(self._file()))
        if found != identity.content:
            raise VerificationFailed(
                f"the vulnerability database in {self.directory} is not the one that was imported",
                why=(f"expected {identity.content}", f"found    {found}"),
                do=f"find out who changed it; {_GET_ONE}",
            )

    async def scan(self, document: Path, vex: Path | None = None) -> Any:
        """Scan an SBOM and return Grype's report; raise `ToolFailed` when it failed or what it wrote is no JSON."""
        more: list[str | Path] = ["--vex", vex] if vex else []
        report = self.scratch / "report.json"
        await self._run("-o", "json", *more, "--", f"sbom:{_whole(document)}", to=report)
        try:
            return strict.loads(_take(report))
        except (ValueError, RecursionError) as error:
            raise ToolFailed("Grype wrote no readable report", why=str(error), do="see the stage's log.txt") from error

    async def require_eyesight(self) -> None:
        """Scan packages that are known to be vulnerable; raise `ToolFailed` when they are not found.

        A database without advisories is no error to Grype, and a matcher that is switched off finds nothing.
        """
        document = self.scratch / "canary.cdx.json"
        document.write_text(json.dumps(canary.DOCUMENT))
        report = await self.scan(document)
        document.unlink()
        if blind := canary.missed(report):
            raise ToolFailed(
                "the vulnerability database does not know what every database knows",
                why=[f"not found: {each}" for each in blind],
                do="get a whole database: `shipseal db update`, or `db import FILE`",
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
        raise ToolFailed(f"Grype's report has more than {_LARGEST >> 20} MiB", do="see what the SBOM lists")
    data = path.read_bytes()
    path.unlink()
    return data
