"""`plan`: what a release would write outside, where and as whom, before it does. It writes nothing.

The digest and the tags are known when the image of the run directory still is what a release would build.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.attestation.signing import release_signer
from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.digest import Digest
from pipeline.distribution.moving import Moves, moves
from pipeline.engine.schedule import wanted
from pipeline.engine.table import TABLE
from pipeline.engine.world import choose
from pipeline.errors import ConfigError, UsageError
from pipeline.locked.inputs import Inputs
from pipeline.project.config import Config, Sign
from pipeline.tools.toolbox import Toolbox

_TOOLS = frozenset({"oras"})
_IMAGE = [row for row in wanted(TABLE, "image") if not row.always]


@dataclass(frozen=True)
class Plan:
    """What a release would write.

    Args:
        repository: where it would push.
        digest: what it would push; None where nothing is built yet.
        tags: which tags would move, and which stay.
        signer: who would sign, in words.
        logs: where every signature would be written down.
    """

    repository: str
    digest: Digest | None
    tags: Moves
    signer: str
    logs: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "event": "plan",
            **vars(self),
            "digest": str(self.digest) if self.digest else None,
            "tags": {name: str(at) if at else None for name, at in self.tags.before.items()},
            "stay": dict(self.tags.stay),
            "logs": list(self.logs),
        }

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        yield f"push      {self.repository}@{self.digest or '(not built yet)'}"
        yield f"sign      as {self.signer}"
        for log in self.logs:
            yield f"log       {log}, where the signer's identity stays for good"
        for name, at in self.tags.before.items():
            there = "there already" if at and at == self.digest else f"from {at}" if at else "new"
            yield f"tag       {name} ({there})"
        for name, newer in self.tags.stay.items():
            yield f"stays     {name} (at {newer}, which is newer)"
        if self.digest is None:
            yield "tag       known when the image is built: run `python -m pipeline release --to image`"
        yield "nothing was written"


def add(verbs: Any) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("plan", help="what a release would write outside, before it does", description=__doc__)
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Ask the registry where the tags are, and print the plan."""
    config = Config.load(options.config)
    image = _built(options)
    with tempfile.TemporaryDirectory(prefix="plan-") as scratch:
        plan = run_async(lambda: _plan(options, config, image, Path(scratch)))
    print(json.dumps(plan.as_json()) if options.json else "\n".join(plan.lines()))
    return 0


def _built(options: argparse.Namespace) -> Mapping[str, Any] | None:
    """Return the finished image of the run directory, if a release would keep it."""
    release = shared.open_run(options, "release", TABLE)
    if not (release.directory / "inputs").is_dir() or not all(release.kept(row) for row in _IMAGE):
        return None
    document: Mapping[str, Any] = json.loads((release.directory / "image" / "image.json").read_bytes())
    return document


async def _plan(options: argparse.Namespace, config: Config, image: Mapping[str, Any] | None, scratch: Path) -> Plan:
    tools = Toolbox(shared.the_store(options), Inputs.of_tools().locked(), _TOOLS, scratch / "log.txt")
    tags, digest = Moves({}, {}), None
    async with choose("release", config).registry(tools, None) as registry:
        if image:
            digest = Digest.parse(image["digest"])
            tags = await moves(registry, str(image["service"]["version"]), digest)
        else:
            await registry.tags()  # whether it lets this login in
    signer = await _signer(tools, config.sign)
    return Plan(config.image.repository, digest, tags, signer, tuple(_logs(config.sign)))


async def _signer(tools: Toolbox, sign: Sign) -> str:
    try:
        async with release_signer(tools, sign) as signer:
            return f"{signer.promise({}).who.identity}, certified by {signer.authority}"
    except UsageError as error:
        return f"nobody yet: {error.what}"


def _logs(sign: Sign) -> Iterator[str]:
    """Yield the addresses of the transparency logs; the public Sigstore's own are found by Cosign when it signs."""
    if sign.signing_config is None:
        yield "the public log of Sigstore"
        return
    try:
        document = json.loads(sign.signing_config.read_bytes())
        yield from [str(log["url"]) for log in document.get("rekorTlogUrls", ())]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{sign.signing_config} is no signing configuration of Sigstore",
            why=f"{type(error).__name__}: {error}",
            do="correct sign.signing-config, or the file",
        ) from error
