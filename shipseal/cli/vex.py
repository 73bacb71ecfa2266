"""`vex propose|check`: what a person may accept, and what each statement of a run suppresses."""

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from shipseal import grammar
from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.digest import Digest
from shipseal.disk import write_new
from shipseal.documents.image import ImageDocument
from shipseal.documents.sbom import SyftDocument
from shipseal.documents.scan import DatabaseDocument, ImportedDocument
from shipseal.documents.vex import OpenVexDocument, Proposal, ProposalsDocument
from shipseal.engine import run_directory as place
from shipseal.engine.run_contents import Untouched
from shipseal.errors import UsageError
from shipseal.judging.proving import PlatformSbom, Proof, prove
from shipseal.locked.inputs import Inputs
from shipseal.platforms import Platform
from shipseal.project.config import Config
from shipseal.scanning.grype import Grype, Identity
from shipseal.terminal_text import line
from shipseal.tools.toolbox import Toolbox


def add(verbs: Verbs) -> None:
    """Describe the verb and its two actions."""
    verb = verbs.add_parser("vex", help="draft a statement from evidence, or try those of a run", description=__doc__)
    actions = verb.add_subparsers(dest="action", required=True, metavar="propose|check")
    propose = actions.add_parser("propose", help="write what a person may accept, with its evidence")
    propose.add_argument("finding", nargs="?", default="", metavar="FINDING", help="default: tell of all, write none")
    propose.set_defaults(verb=_propose)
    check = actions.add_parser("check", help="have Grype show what each published statement suppresses")
    check.set_defaults(verb=_check)
    for action in (propose, check):
        shared.common(action)
        shared.run_directory(action)


def _propose(options: argparse.Namespace) -> int:
    config = Config.load(options.config)
    proposals = ProposalsDocument.read(Untouched(place.checked(config.root, options.run_dir))).root
    named = [each for each in proposals if options.finding in {"", each.finding}]
    if options.finding and not named:
        raise UsageError(
            f"nothing is proposed about {line(options.finding)}",
            why=f"proposed: {', '.join(line(each.finding) for each in proposals) or 'nothing'}",
            remedy="see vex/evidence.json in the run directory for what was seen, and what speaks against more",
        )
    written = _write(config, options.finding, named) if options.finding else ""
    if options.json:
        told = ProposalsDocument(tuple(named)).as_json()
        print(json.dumps({"event": "proposed", "written": written, "proposals": told}))
        return 0
    for each in named:
        print(line(f"{each.finding} in {each.package}: nobody imports it, and nobody has opened it"))
        for said in each.told:
            print(line(f"  {said}"))
    if not named:
        print("nothing is proposed: no vulnerable code is in the image that nobody imports and nobody has opened")
    if written:
        print(f"written: {written}\nto accept it, give author, impact_statement and valid_until, and take .draft away")
    return 0


def _write(config: Config, finding: str, named: Sequence[Proposal]) -> str:
    """Write the drafts about a finding where they are read once a person has taken `.draft` away; return the files."""
    if not grammar.FINDING.fits(finding):
        raise UsageError(f"{line(finding)} can be no file's name", remedy="write the statement by hand: docs/vex.md")
    several = len(named) > 1
    files = {
        f"vex/{finding.replace(':', '-')}{f'-{number}' if several else ''}.json.draft": json.dumps(
            each.draft, indent=2, ensure_ascii=False
        )
        + "\n"
        for number, each in enumerate(named, 1)
    }
    config.policy.directory.mkdir(exist_ok=True)
    write_new(config.policy.directory, files)
    return ", ".join(str(config.policy.directory / name) for name in files)


def _check(options: argparse.Namespace) -> int:
    config = Config.load(options.config)
    run = place.checked(config.root, options.run_dir)
    left = Untouched(run)
    image, document = ImageDocument.read(left), OpenVexDocument.read(left)
    identity = Identity.recorded(DatabaseDocument.read(left), ImportedDocument.read(left))
    images = [
        PlatformSbom(name, entry.digest, SyftDocument.read(left, Platform.parse(name).directory))
        for name, entry in sorted(image.platforms.items())
    ]
    with tempfile.TemporaryDirectory(prefix="vex-check-") as scratch:
        tools = Toolbox(
            store=shared.the_store(options),
            locked=Inputs.of_tools().locked(),
            declared=frozenset({"grype"}),
            log=Path(scratch) / "log.txt",
        )
        grype = Grype(tools, config.scan.database or run / "scan" / "database", Path(scratch))
        grype.require_same(identity)
        proofs = run_async(lambda: prove(grype, document, images, image.reference))
    _tell(options, image.digest, identity, proofs)
    return 0


def _tell(options: argparse.Namespace, digest: Digest, identity: Identity, proofs: tuple[Proof, ...]) -> None:
    if options.json:
        every = [vars(each) | {"suppressed": list(each.suppressed)} for each in proofs]
        print(json.dumps({"event": "checked", "image": str(digest), "statements": every}))
        return
    for each in proofs:
        does = f"suppresses {', '.join(each.suppressed)}" if each.suppressed else "suppresses nothing"
        idle = "" if each.suppressed or each.status not in {"not_affected", "fixed"} else ": no finding is about it"
        print(line(f"{each.name} ({each.status}) on {each.platform}: {does}{idle}"))
    print(f"{digest}: each does that and nothing else, and nothing on another digest; {_by(identity)}")


def _by(identity: Identity) -> str:
    return identity.describe(datetime.now(UTC))
