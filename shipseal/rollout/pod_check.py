"""See what runs: which image each pod has by its node's word, and what the service answers."""

from collections.abc import Collection, Sequence

import anyio
import httpx

from shipseal.cluster.api import Api
from shipseal.cluster.resources import collection, member, path
from shipseal.deploying.manifests import Object
from shipseal.deploying.running import Match, Running, pods_of, running
from shipseal.digest import Digest
from shipseal.engine.stage import Context
from shipseal.errors import SubjectFailed, VerificationFailed
from shipseal.rollout.rendering import Rendered
from shipseal.statements import deployment

_PATIENCE, _PAUSE, _ANSWER = 30, 1, 5  # seconds


async def pods(api: Api, rendered: Rendered, container: str, digests: Collection[Digest]) -> tuple[Running, ...]:
    """Return what each pod of the set runs in the service's container, held against the digests of the image."""
    replica_sets: Sequence[Object] = await api.entries(collection(rendered.namespace, "apps", "replicasets"))
    every: Sequence[Object] = await api.entries(collection(rendered.namespace, "", "pods"))
    own = list[Object]()
    for manifest in rendered.manifests:
        if manifest.kind == "Deployment" and (live := await api.get(path(manifest))) is not None:
            own += pods_of(live, replica_sets, every)
    return running(own, container, digests)


def require_same(found: Sequence[Running], digests: Collection[Digest], context: Context) -> None:
    """Raise `VerificationFailed` when a pod runs other bytes than those that were verified; say what is unproven."""
    different = [each for each in found if each.match is Match.DIFFERENT]
    if different:
        raise VerificationFailed(
            f"{len(different)} of {len(found)} pods run another image than the one that was verified",
            why=[
                *(f"{each.pod} on {each.node or 'no node'} runs {each.image_id}: {each.why}" for each in different),
                f"verified: {', '.join(map(str, sorted(digests)))}",
            ],
            remedy="take these nodes out of service, and find out what stands between the registry and them",
        )
    for each in found:
        if each.match is Match.UNPROVEN:
            context.say(f"unproven: {each.pod}: {each.why}")


def as_signed(found: Sequence[Running]) -> list[deployment.Pod]:
    """Return the pods as a receipt names them."""
    return [
        deployment.Pod(name=each.pod, uid=each.uid, node=each.node, image_id=each.image_id, match=str(each.match))
        for each in sorted(found, key=lambda each: each.pod)
    ]


async def probe(api: Api, namespace: str, asked: str, context: Context) -> deployment.Probe:
    """Ask the service, until it answers with 200.

    Args:
        api: through which `SERVICE:PORT/PATH` is asked.
        namespace: of the Service.
        asked: `[deploy] probe`: that, an https URL, or nothing, and then nobody is asked.
        context: says what is asked.

    Raises:
        SubjectFailed: it did not, within half a minute or `[deploy] timeout-seconds`, whichever is less.
    """
    if not asked:
        return deployment.Probe()
    context.say(f"asking {asked}")
    status, why, patience = 0, "no answer", min(_PATIENCE, context.config.deploy.timeout_seconds)
    with anyio.move_on_after(patience):
        while status != 200:
            status, why = await (_by_url(asked) if "://" in asked else _by_proxy(api, namespace, asked))
            if status != 200:
                await anyio.sleep(_PAUSE)
    if status != 200:
        raise SubjectFailed(f"{asked} did not answer with 200 within {patience:.0f} s", why=why, remedy="see its log")
    return deployment.Probe(asked=asked, status=status)


async def _by_proxy(api: Api, namespace: str, asked: str) -> tuple[int, str]:
    service, _, rest = asked.partition("/")
    status, body = await api.proxied(f"{member(collection(namespace, '', 'services'), service, 'proxy')}/{rest}")
    return status, f"{status}: {body[:200].decode('utf-8', 'replace')}"


async def _by_url(url: str) -> tuple[int, str]:
    try:
        async with httpx.AsyncClient(timeout=_ANSWER, trust_env=False) as client, client.stream("GET", url) as answer:
            return answer.status_code, f"{answer.status_code} {answer.reason_phrase}"
    except httpx.HTTPError as error:
        return 0, f"{type(error).__name__}: {error}"
