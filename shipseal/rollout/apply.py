"""Apply a rendered set by the server, as a field manager of our own that forces nothing; remove what left the set.

The server's own dry run comes first: what it would refuse, it refuses before anything is written.
"""

from collections.abc import Collection
from dataclasses import dataclass

from shipseal.cluster.api import Api, ApplyResult, Refused
from shipseal.cluster.resources import collection, is_known, path
from shipseal.deploying import inventory
from shipseal.deploying.difference import FieldChange, changes
from shipseal.deploying.manifests import Manifest, Object, dig
from shipseal.deploying.platform import resource, resource_of
from shipseal.engine.stage import Context
from shipseal.errors import SubjectFailed
from shipseal.rollout.names import FIRST_REPLICAS, INVENTORY, MANAGER, TOOLING
from shipseal.rollout.rendering import Rendered

_SERVERS_OWN = 500  # statuses from here on are the server's trouble, and say nothing of the object
_WRITTEN = f"{MANAGER}.example/replicas-at-creation"


@dataclass(frozen=True)
class ApplyDiff:
    """What applying would change: in objects of the set, and which objects would be removed."""

    changes: tuple[FieldChange, ...]
    strays: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return it as people read it, one line a change."""
        changed = [
            f"{each.title}: {f'{each.path}: ' if each.path else ''}{each.before} -> {each.after}"
            for each in self.changes
        ]
        return [*changed, *(f"{title}: removed, for it is no longer in the set" for title in self.strays)]


async def difference(api: Api, rendered: Rendered) -> ApplyDiff:
    """Ask the server what applying would change; nothing is written.

    Raises:
        SubjectFailed: the server would refuse an object, or warns of it: what, why and what to do stand in it.
    """
    found, warned = list[FieldChange](), list[str]()
    for manifest in rendered.manifests:
        live = await api.get(path(manifest))
        answer = await _applied(api, manifest, dry_run=True)
        found += changes(manifest.title, live, answer.body)
        warned += [f"{manifest.title}: {warning}" for warning in answer.warnings]
    if warned:
        raise SubjectFailed(
            "the API server warns of what would be applied",
            why=warned,
            remedy="correct the manifests: what is a warning for a Deployment is a refusal for its pods",
        )
    return ApplyDiff(tuple(found), tuple(Manifest(each).title for each in await _strays(api, rendered)))


async def drift(api: Api, rendered: Rendered) -> tuple[str, ...]:
    """Return what in the cluster is no longer as a set has it; a field that somebody else has taken is that, too."""
    found = list[str]()
    for manifest in rendered.manifests:
        try:
            answer = await api.apply(path(manifest), manifest.body, MANAGER, dry_run=True)
        except Refused as refused:
            if refused.code >= _SERVERS_OWN:
                raise
            causes = refused.causes or (("", refused.said),)
            found += [f"{manifest.title}: {field.lstrip('.')}{': ' if field else ''}{why}" for field, why in causes]
            continue
        changed = changes(manifest.title, await api.get(path(manifest)), answer.body)
        found += ApplyDiff(changed, ()).lines()
    return (*found, *ApplyDiff((), tuple(Manifest(each).title for each in await _strays(api, rendered))).lines())


async def apply(api: Api, rendered: Rendered, context: Context) -> None:
    """Apply the set, object by object, and the first number of replicas where there was none before."""
    kinds = {_kind(each) for each in rendered.manifests}
    await _keep_inventory(api, rendered.namespace, kinds | await _kinds(api, rendered.namespace))
    for manifest in rendered.manifests:
        context.say(f"applying {manifest.title}")
        await _applied(api, manifest)
    if rendered.first_replicas is not None:
        await _write_first_replicas(api, rendered.first_replicas, context)


async def _applied(api: Api, manifest: Manifest, *, dry_run: bool = False) -> ApplyResult:
    try:
        return await api.apply(path(manifest), manifest.body, MANAGER, dry_run=dry_run)
    except Refused as refused:
        raise _explained(manifest, refused) from refused


def _explained(manifest: Manifest, refused: Refused) -> SubjectFailed | Refused:
    """Return a refusal of one object with what to do about it; what is the server's own trouble stays what it is."""
    fields = [f"{field}: {why}" if field else why for field, why in refused.causes]
    if refused.kind == "Conflict":
        return SubjectFailed(
            f"{manifest.title} has fields that somebody else manages",
            why=fields or [refused.said],
            remedy="have that manager give them up, or take them out of the manifests; nothing is ever forced",
        )
    if refused.kind == "NotFound":
        return SubjectFailed(
            f"there is no namespace {manifest.namespace} in this cluster",
            why=refused.said,
            remedy="an administrator applies k8s/platform first; or this is another cluster than you meant",
        )
    if refused.kind in {"Invalid", "Forbidden", "BadRequest", "UnprocessableEntity"} and refused.code != 401:
        immutable = any("immutable" in line for line in (*fields, refused.said))
        return SubjectFailed(
            f"the API server refuses {manifest.title}",
            why=fields or [refused.said],
            remedy="give it another name: this field cannot be changed in place"
            if immutable
            else "correct the manifests, or ask an administrator for the right or the policy that it names",
        )
    return refused


async def _write_first_replicas(api: Api, first: Manifest, context: Context) -> None:
    """Have the first number of replicas written once in the life of a Deployment, whoever was killed in between.

    An annotation by the same manager says that it was done. Where somebody else has set the number since, or long
    before, it is theirs: the conflict is the answer, and is not forced.
    """
    live = await api.get(path(first))
    if live is None or _WRITTEN in dig(live, "metadata", "annotations"):
        return
    number = dig(first.body, "spec")["replicas"]
    metadata = {**dig(first.body, "metadata"), "annotations": {_WRITTEN: str(number)}}
    try:
        await api.apply(path(first), {**first.body, "metadata": metadata}, FIRST_REPLICAS)
        context.say(f"{first.title} begins with {number} replicas")
    except Refused as refused:
        if refused.kind != "Conflict":
            raise _explained(first, refused) from refused
        context.say(f"{first.title} keeps its replicas: somebody else has set them")
        marked = {key: value for key, value in first.body.items() if key != "spec"}
        await api.apply(path(first), {**marked, "metadata": metadata}, FIRST_REPLICAS)


async def prune(api: Api, rendered: Rendered, context: Context) -> None:
    """Remove what an earlier deploy has applied and this set no longer holds; what is not in the inventory stays."""
    for each in await _strays(api, rendered):
        gone = Manifest(each)
        context.say(f"removing {gone.title}, which is no longer in the set")
        await api.delete(path(gone), str(dig(each, "metadata")["uid"]))
    await _keep_inventory(api, rendered.namespace, {_kind(each) for each in rendered.manifests})


async def _strays(api: Api, rendered: Rendered) -> tuple[Object, ...]:
    identifier, listed = inventory.identifier(INVENTORY, rendered.namespace), list[Object]()
    for kind, group in sorted(await _kinds(api, rendered.namespace)):
        where = collection(rendered.namespace, group, resource(kind))
        listed += await api.entries(where, labels=f"{inventory.PART_OF}={identifier}")
    return inventory.strays(listed, identifier, rendered.manifests)


def _kind(manifest: Manifest) -> tuple[str, str]:
    return manifest.kind, resource_of(manifest)[0]


async def _kinds(api: Api, namespace: str) -> set[tuple[str, str]]:
    """Return the kinds that the inventory in the cluster names, with their groups."""
    parent = inventory.parent(INVENTORY, namespace, TOOLING, ())
    live = await api.get(path(parent))
    if live is None:
        return set()
    if why := inventory.refusal(live, parent):
        raise SubjectFailed(
            f"{parent.title} is not the inventory of deploys",
            why=why,
            remedy="rename or delete it, if nobody needs it; an inventory of others is not changed",
        )
    return {(kind, group) for kind, group in inventory.kinds_of(live) if is_known(group)}


async def _keep_inventory(api: Api, namespace: str, kinds: Collection[tuple[str, str]]) -> None:
    named = sorted(f"{kind}.{group}" if group else kind for kind, group in kinds)
    parent = inventory.parent(INVENTORY, namespace, TOOLING, named)
    await api.apply(path(parent), parent.body, MANAGER)
