"""Find the policy that applies to a project: its own files, and what comes with the pipeline where it has none.

`rules.toml` has a default because no rules is no policy at all. Waivers never do: nobody accepts a risk for another.
The statements about the runtime's packages come with the pipeline, which put those packages there; a project replaces
one by a file of the same name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shipseal import grammar
from shipseal.digest import Digest
from shipseal.disk import text_of
from shipseal.errors import ConfigError
from shipseal.judging.claims import OURS
from shipseal.judging.rules import Rules, read_rules
from shipseal.judging.vex import VexFile, read
from shipseal.judging.waivers import DeployWaiver, Waiver, read_deploy_waivers, read_waivers
from shipseal.project.config import HOME, Config
from shipseal.verification.policy_file import read_policy
from shipseal.verification.trust import FILENAME, Policy

_DEFAULT = HOME / "policy"


@dataclass(frozen=True)
class PolicyFiles:
    """A policy, read and checked; `texts` is what was read, by name, and `digests` says which bytes that was."""

    rules: Rules
    waivers: tuple[Waiver, ...]
    documents: Mapping[str, VexFile]
    texts: Mapping[str, str]

    @property
    def digests(self) -> dict[str, Digest]:
        """Which bytes it was."""
        return {name: Digest.of(text.encode()) for name, text in self.texts.items()}

    @classmethod
    def load(cls, config: Config) -> Self:
        """Read the policy of a project; raise `ConfigError` naming the file at fault."""
        own = config.policy.directory
        texts = {"policy/rules.toml": _text(either(own, "rules.toml"))}
        rules = read_rules(texts["policy/rules.toml"])
        waivers: tuple[Waiver, ...] = ()
        if (own / "waivers.toml").exists():
            texts["policy/waivers.toml"] = _text(own / "waivers.toml")
            waivers = read_waivers(texts["policy/waivers.toml"], rules)
        files = {path.name: path for root in (_DEFAULT, own) for path in sorted((root / "vex").glob("*.json"))}
        if odd := [name for name in files if not grammar.STATEMENTS.fits(name)]:
            raise ConfigError(
                f"{own / 'vex'} has a file whose name cannot be told: {odd[0]!a}",
                remedy="name it with letters, digits, dots, hyphens and underscores, and .json at the end",
            )
        statements = {f"policy/vex/{name}": _text(path) for name, path in sorted(files.items())}
        ours = {f"policy/vex/{path.name}" for path in files.values() if path.parent.parent != own}
        sources = {name: f"{OURS}{name}" if name in ours else name for name in statements}
        documents = {sources[name]: read(text, rules, sources[name]) for name, text in statements.items()}
        return cls(rules, waivers, documents, {**texts, **statements})


def deploy_waivers(config: Config) -> tuple[DeployWaiver, ...]:
    """Return the images that may be deployed for a while although they do not satisfy the policy."""
    own = config.policy.directory
    file = own / "waivers.toml"
    if not file.exists():
        return ()
    return read_deploy_waivers(_text(file), read_rules(_text(either(own, "rules.toml"))))


def either(own: Path, name: str) -> Path:
    """Return a project's own policy file, or the one that comes with the pipeline."""
    return own / name if (own / name).exists() else _DEFAULT / name


def policy_of(config: Config, name: str) -> tuple[Policy, Path]:
    """Return a policy of a project by its name: who may sign what; and the directory of the file that says so.

    Raises:
        ConfigError: there is no such policy, or it is wrong.
    """
    file = either(config.policy.directory, FILENAME)
    return read_policy(file, name), file.parent


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read", why=str(error), remedy="correct the file") from error
