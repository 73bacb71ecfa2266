"""Run Grype: one database, no network, nothing from its own configuration or the user's environment.

Its settings are environment variables (Grype, "Configuration"); exit code 1 is any error, and `-q` hides its text.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from pipeline.digest import Digest
from pipeline.errors import ConfigError, ToolFailed
from pipeline.policy import read_time
from pipeline.toolbox import Completed, Toolbox

IDENTITY = "database.json"

# True positives of every honest database: waitress GHSA-9298-4cf8-g4wj and Debian's expat CVE-2023-52425.
_CANARIES = {
    "pkg:pypi/waitress@3.0.0": "GHSA-9298-4cf8-g4wj",
    "pkg:deb/debian/libexpat1@2.5.0-1?arch=amd64&distro=debian-12&upstream=expat": "CVE-2023-52425",
}


@dataclass(frozen=True)
class Identity:
    """Which database it is.

    Args:
        built: when it was built, RFC 3339.
        schema: its schema, as Grype says it.
        checksum: sha256 of the file that it was imported from.
        source: where that file came from.
        sample: whether it holds no more than a few advisories, for a dry run.
    """

    built: str
    schema: str
    checksum: str
    source: str
    sample: bool

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the identity that an import left beside the database.

        Raises:
            ConfigError: there is none, so nobody knows which database it is.
        """
        try:
            value = json.loads((directory / IDENTITY).read_bytes())
            return cls(**{name: value[name] for name in cls.__dataclass_fields__})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{directory} holds no imported vulnerability database",
                why=f"{IDENTITY}: {error}",
                do="run `python -m pipeline db import FILE`, or `db update` where there is a network",
            ) from error

    def as_json(self) -> dict[str, Any]:
        """Return it as `scan/database.json` keeps it."""
        return asdict(self)

    def describe(self, now: datetime) -> str:
        """Return the words without which no count of findings may be shown."""
        built = read_time(self.built)
        if self.sample:
            return f"SAMPLE database of {built.date()}"
        return f"database of {built.date()}, {(now - built).days} days old"


@dataclass(frozen=True)
class Grype:
    """Grype with the database in one directory; what it leaves elsewhere goes into `scratch`."""

    tools: Toolbox
    directory: Path
    scratch: Path

    async def load(self, source: Path, origin: str, *, sample: bool = False) -> Identity:
        """Import a database file into the directory, and write down which one it is."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        checksum = str(Digest.of_file(source))
        await self._run("db", "import", source)
        status = await self._run("db", "status", "-o", "json")
        try:
            value = json.loads(status.stdout)
            identity = Identity(value["built"], value["schemaVersion"], checksum, origin, sample)
        except (ValueError, KeyError, TypeError) as error:
            raise ToolFailed("Grype does not say which database it has", why=str(error)) from error
        text = json.dumps(identity.as_json(), indent=2, sort_keys=True) + "\n"
        (self.directory / IDENTITY).write_text(text, encoding="utf-8")
        return identity

    async def scan(self, document: Path, vex: Path | None = None) -> Any:
        """Scan an SBOM and return Grype's report; raise `ToolFailed` when it failed or what it wrote is no JSON."""
        more: list[str | Path] = ["--vex", vex] if vex else []
        report = self.scratch / "report.json"
        await self._run("-o", "json", *more, "--", f"sbom:{_whole(document)}", to=report)
        try:
            return json.loads(_take(report))
        except ValueError as error:
            raise ToolFailed("Grype wrote no readable report", why=str(error), do="see the stage's log.txt") from error

    async def require_eyesight(self) -> None:
        """Scan packages that are known to be vulnerable; raise `ToolFailed` when they are not found.

        A database without advisories is no error to Grype, and a matcher that is switched off finds nothing.
        """
        canary = self.scratch / "canary.cdx.json"
        components = [
            {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
            for purl in _CANARIES
            for name, version in [purl.partition("?")[0].rpartition("/")[2].split("@")]
        ]
        document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
        canary.write_text(json.dumps(document))
        report = await self.scan(canary)
        canary.unlink()
        found = {match["vulnerability"]["id"] for match in report.get("matches", ())}
        blind = sorted(f"{name} in {purl.partition('?')[0]}" for purl, name in _CANARIES.items() if name not in found)
        if blind:
            raise ToolFailed(
                "the vulnerability database does not know what every database knows",
                why=[f"not found: {each}" for each in blind],
                do="get a whole database: `python -m pipeline db update`, or `db import FILE`",
            )

    async def _run(self, *arguments: str | Path, to: Path | None = None) -> Completed:
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
        }
        whole = [_whole(each) if isinstance(each, Path) else each for each in arguments]
        done = await self.tools.run("grype", *whole, cwd=home, env=settings, stdout_to=to)
        shutil.rmtree(home)
        return done


def _whole(path: Path) -> Path:
    """Return a path that means the same wherever a child runs."""
    return path.resolve()


def _take(path: Path) -> bytes:
    data = path.read_bytes()
    path.unlink()
    return data
