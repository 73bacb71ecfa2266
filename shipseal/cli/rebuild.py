"""`rebuild REFERENCE|PACK|LAYOUT`: build an image again from what its provenance records, offline, compare every byte.

The provenance of a reference or a pack is verified first, by the policy; that of a layout where --policy is given, else
nobody looks at its signatures. The project is the one of --config, a checkout of the recorded commit; with --source
that commit is taken out of a clone. With --against nothing is built, and two layouts are compared. The first difference
is told with its platform, layer, path, field and offset. With --attest whoever has rebuilt signs that it came out the
same, and attaches that to the image.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.digest import Digest
from shipseal.engine.world import require_own_names
from shipseal.errors import UsageError
from shipseal.judging.policy_files import either
from shipseal.oci.differences import ComparedImage
from shipseal.oci.layout import Layout
from shipseal.project.config import Config
from shipseal.released.countersigning import Order, rebuild_proven
from shipseal.released.rebuilding import compare, rebuild
from shipseal.released.release_context import own
from shipseal.signing.roots import public_root
from shipseal.statements.rebuild import recorded
from shipseal.verification.policy_file import read_policy
from shipseal.verification.trust import FILENAME


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("rebuild", help="build an image again and compare every byte", description=__doc__)
    verb.add_argument(
        "image", metavar="REFERENCE|PACK|LAYOUT", help="with its provenance: attest/layout of a run, or what was pulled"
    )
    verb.add_argument("--against", type=Path, metavar="LAYOUT", help="compare with this image, and build nothing")
    verb.add_argument("--source", type=Path, metavar="DIR", help="a git clone that has the recorded commit")
    verb.add_argument("--policy", type=Path, metavar="FILE", help="who may sign provenance; default: the project's")
    verb.add_argument("--as", dest="policy_name", default="production", metavar="NAME", help="which policy of the file")
    verb.add_argument("--trusted-root", type=Path, metavar="FILE", help='for a policy whose trust-root is "run"')
    verb.add_argument("--attest", action="store_true", help="sign that it came out the same, and attach that")
    shared.agreement(verb)
    shared.common(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Rebuild or compare, and say that every byte is the same, or fail with the first that is not."""
    _require_files(options)
    if options.against:
        return _compared(options)
    if Path(options.image).is_dir() and not options.policy:
        return _as_recorded(options)
    return _proven(options)


def _require_files(options: argparse.Namespace) -> None:
    image = Path(options.image)
    wanted = [image] if options.against or options.image.startswith(("/", ".")) else []
    for given in (*wanted, *([options.against] if options.against else [])):
        if not given.is_dir() and (options.against or not given.is_file()):
            raise UsageError(
                f"there is no layout {given}", remedy="name a directory: attest/layout of a run, or one pulled"
            )
    if options.trusted_root and not options.trusted_root.is_file():
        raise UsageError(f"there is no file {options.trusted_root}", remedy="name attest/trusted_root.json of the run")
    if options.attest and (image.exists() or options.against):
        raise UsageError("only what is in a registry can be attested", remedy="give REGISTRY/REPOSITORY@sha256:…")
    if options.source and image.is_dir() and not options.policy:
        raise UsageError("a commit is not built on nobody's word", remedy="say with --policy who may sign provenance")


def _compared(options: argparse.Namespace) -> int:
    one, other = Layout(Path(options.image)), Layout(options.against)
    image = one.only_image()
    blobs = one.check_image(image)
    compare(ComparedImage("the first", one, image), ComparedImage("the second", other, other.only_image()))
    return _say(options, image, blobs, ())


def _as_recorded(options: argparse.Namespace) -> int:
    """Rebuild a layout, on the word of whoever has written its provenance."""
    layout = Layout(Path(options.image))
    image = layout.only_image()
    blobs, config = layout.check_image(image), Config.load(options.config)
    records = recorded(layout, image)
    with released_options.ground(options, config, agreed=False) as ground:
        notes = run_async(lambda: rebuild(ground, config, ComparedImage("recorded", layout, image), records))
    return _say(options, image, blobs, notes)


def _proven(options: argparse.Namespace) -> int:
    """Rebuild what the policy lets somebody say, and countersign where that was asked for."""
    config = Config.load(options.config)
    file = options.policy or either(config.policy.directory, FILENAME)
    policy = read_policy(file, options.policy_name)
    root = policy.root(options.trusted_root, public_root(), file.parent)
    image, agreed = options.image, False
    if options.attest:
        require_own_names(config)
        digest, tag = own(config, image)
        image = f"{config.image.repository}{f'@{digest}' if digest else f':{tag}'}"
        what = f"pushes to {config.image.repository}, if every byte is the same, and signs: {shared.LOG}."
        agreed = shared.asked(options, what)
    inside = Path(options.config.name) if options.config.is_absolute() else options.config
    order = Order(image, policy, root, options.source, inside, options.attest)
    with released_options.ground(options, config, agreed=agreed) as ground:
        done = run_async(lambda: rebuild_proven(ground, order))
    signed = done.signed
    proof = {"provenance": str(done.provenance), "revision": done.record.revision}
    attested = {"bundle": str(signed.bundle), "signer": signed.signer, "already": signed.before} if signed else None
    lines = [f"built     from {done.record.revision}, as the provenance {done.provenance} names it"]
    if signed:
        lines.append(f"attested  by {signed.signer}, in {signed.bundle}{', as before' if signed.before else ''}")
    return _say(options, done.image, done.blobs, done.notes, lines, {**proof, "attested": attested})


def _say(
    options: argparse.Namespace,
    image: Digest,
    blobs: int,
    notes: Sequence[str],
    lines: Sequence[str] = (),
    more: Mapping[str, object] | None = None,
) -> int:
    """Tell that an image came out the same, what proves where it is from, and what people should know besides."""
    same = f"the same  {image}, every byte of {blobs} blobs"
    about = {"event": "rebuild", "same": True, "digest": str(image), "blobs": blobs, "notes": list(notes)}
    released_options.tell(options, {**about, **(more or {})}, [same, *lines, *(f"note      {note}" for note in notes)])
    return 0
