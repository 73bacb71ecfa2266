"""Find what is known of advisories: the pipeline's own files, and a project's, which replace those of the same name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shipseal import grammar
from shipseal.digest import Digest
from shipseal.disk import text_of
from shipseal.errors import ConfigError
from shipseal.judging.advisories import Knowledge, read_facts, together
from shipseal.judging.claims import OURS
from shipseal.project.config import HOME, Config

DIRECTORY = "advisories"


@dataclass(frozen=True)
class AdvisoryFiles:
    """What is known, and which bytes said so."""

    known: Knowledge
    digests: Mapping[str, Digest]

    @classmethod
    def load(cls, config: Config, default: Path = HOME / "policy") -> Self:
        """Read every file; raise `ConfigError` naming the file and the key at fault."""
        own = config.policy.directory
        files = {path.name: path for root in (default, own) for path in sorted((root / DIRECTORY).glob("*.toml"))}
        if odd := [name for name in files if not grammar.FACTS.fits(name)]:
            raise ConfigError(
                f"{own / DIRECTORY} has a file whose name cannot be told: {odd[0]!a}",
                remedy="name it with letters, digits, dots, hyphens and underscores, and .toml at the end",
            )
        texts = {name: _text(path) for name, path in sorted(files.items())}
        ours = {name for name, path in files.items() if path.parent.parent != own}
        places = {name: f"{OURS if name in ours else ''}policy/{DIRECTORY}/{name}" for name in texts}
        known = together({places[name]: read_facts(text, places[name]) for name, text in texts.items()})
        digests = {f"policy/{DIRECTORY}/{name}": Digest.of(text.encode()) for name, text in texts.items()}
        return cls(known, digests)


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read", why=str(error), remedy="correct the file") from error
