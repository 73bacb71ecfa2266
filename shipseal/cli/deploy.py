"""`deploy`: verify a released image right now, have a cluster run exactly that, and sign a receipt of what came of it.

Where it does not become healthy, the newest earlier receipt whose image still passes is applied again. For those who
deploy from git or from a registry, `--write` and `--publish` leave the cluster alone.
"""

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

from shipseal.cli import cluster_options
from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.digest import Digest, Reference, split_repository
from shipseal.documents.promote import TagsDocument
from shipseal.engine import run_directory as place
from shipseal.engine.run_contents import RunContents
from shipseal.engine.stage import Context
from shipseal.errors import UsageError, VerificationFailed
from shipseal.project.config import Config
from shipseal.rollout import gitops, orders

Said = tuple[dict[str, Any], list[str]]
"""The event for machines, and the lines for people."""


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("deploy", help="have a cluster run a verified image, and prove it", description=__doc__)
    verb.add_argument("--to", metavar="DIGEST", help="a released image, sha256:…; default: the one promoted here")
    instead = verb.add_mutually_exclusive_group()
    for name, help_ in (
        ("--check", "see that the cluster may be deployed to, and stop"),
        ("--diff", "say what would change in the cluster, and stop"),
        ("--write", "put the digest into the overlay, as a change for review, and stop"),
        ("--publish", "push the rendered set, signed, for Flux or Argo CD, and stop"),
    ):
        instead.add_argument(name, action="store_true", help=help_)
    cluster_options.add(verb)
    shared.agreement(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Deploy, or do what was asked for instead."""
    config = Config.load(options.config)
    if options.check:
        return _ask(options, _check)
    digest = Digest.parse(options.to) if options.to else _promoted(options, config)
    reference = Reference(*split_repository(config.image.repository), digest)
    for asked, work in ((options.diff, _compare), (options.write, _write)):
        if asked:
            return _ask(options, lambda context: work(context, reference))  # noqa: B023 - it is called at once
    agreed = shared.agreed(options, [cluster_options.ROW], config.image.repository)
    if options.publish:
        return _ask(options, lambda context: _publish(context, reference), agreed=agreed)
    return _ask(options, lambda context: _deploy(context, reference), agreed=agreed)


def _ask(options: argparse.Namespace, work: Callable[[Context], Awaitable[Said]], *, agreed: bool = False) -> int:
    with cluster_options.context(options, agreed=agreed) as context:
        event, lines = run_async(lambda: work(context))
    cluster_options.tell(options, event, lines)
    return 0


def _promoted(options: argparse.Namespace, config: Config) -> Digest:
    """Return what the run here has promoted; it is verified before anything is done with it, as any other."""
    left = RunContents(place.checked(config.root, options.run_dir))
    try:
        return TagsDocument.read(left).digest
    except VerificationFailed as error:
        raise UsageError(
            "no image is named, and no run here has promoted one",
            why=(error.what, *error.why),
            remedy="name a released image: --to sha256:…; or release first",
        ) from error


async def _check(context: Context) -> Said:
    seen = await orders.look(context)
    about = {"uid": seen.cluster.uid, "version": seen.cluster.version, "user": seen.user}
    said = f"cluster {seen.cluster.uid}, Kubernetes {seen.cluster.version}: {seen.user} may deploy there"
    return {"event": "checked", **about}, [said]


async def _compare(context: Context, reference: Reference) -> Said:
    async with context.world.cluster(context.tools, context.out) as access:
        assert access is not None  # a release has one
        found = (await orders.compare(context, cluster_options.published(context), reference, access)).lines()
    return {"event": "difference", "image": str(reference), "lines": found}, found or ["nothing changes"]


async def _write(context: Context, reference: Reference) -> Said:
    file = await gitops.write(context, cluster_options.published(context), reference)
    name = str(file.relative_to(context.config.root)) if file else ""
    said = f"wrote {reference} into {name}: review and commit it" if file else f"{reference} is named there already"
    return {"event": "written", "image": str(reference), "file": name}, [said]


async def _publish(context: Context, reference: Reference) -> Said:
    made = await gitops.push(context, cluster_options.published(context), reference)
    said = f"published the set of {reference}"
    return {"event": "published", "image": str(reference), "artifact": str(made)}, [said, f"artifact  {made}"]


async def _deploy(context: Context, reference: Reference) -> Said:
    async with context.world.cluster(context.tools, context.out) as access:
        assert access is not None  # a release has one
        receipt, _ = await orders.deploy(context, cluster_options.published(context), reference, access)
    return cluster_options.deployed_event(receipt)
