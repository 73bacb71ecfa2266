"""Read the first number of replicas: what a field manager of its own applies once, at creation. Pure.

Applied by the manager of all else it would be that manager's to keep or to give up: left out of a later apply the
Deployment would fall to one replica, and kept in it the autoscaler's number would be undone.
"""

from collections.abc import Iterator, Sequence

from shipseal.deploying.manifests import Manifest, dig, parse
from shipseal.errors import SubjectFailed

FILE = "replicas-at-creation.yaml"
"""The file's name, beside the kustomization that [deploy] manifests names; there need be none."""


def first_replicas(text: bytes, manifests: Sequence[Manifest]) -> Manifest:
    """Return the one object of the file: a Deployment of the rendered set, its number of replicas, and no other field.

    Raises:
        SubjectFailed: it is anything else, or the autoscaler would take the number back at once.
    """
    [found, *more] = parse(text)
    wrong = ["there is more than one object"] if more else list(_wrong(found, manifests))
    if wrong:
        raise SubjectFailed(
            f"{FILE} is not the first number of replicas of a Deployment",
            why=[f"{found.title}: {each}" for each in wrong],
            remedy="keep apiVersion, kind, metadata.name, metadata.namespace and spec.replicas in it, and nothing else",
        )
    return found


def _wrong(found: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    metadata, number = dig(found.body, "metadata"), dig(found.body, "spec").get("replicas")
    if set(found.body) != {"apiVersion", "kind", "metadata", "spec"} or set(metadata) - {"name", "namespace"}:
        yield "it has other fields, and whoever applies it would own them"
    if set(dig(found.body, "spec")) != {"replicas"} or type(number) is not int:
        yield "its spec is not a number of replicas alone"
        return
    if number < 1:
        yield "a Deployment without a replica serves nobody"
    kinds = {(each.api_version, each.title) for each in manifests if each.kind == "Deployment"}
    if (found.api_version, found.title) not in kinds:
        yield "there is no such Deployment among the rendered manifests"
    for scaler in (each for each in manifests if _scales(each, found)):
        spec = dig(scaler.body, "spec")
        least, most = spec.get("minReplicas") or 1, spec.get("maxReplicas")
        if isinstance(least, int) and isinstance(most, int) and not least <= number <= most:
            yield f"{number} replicas are outside {least} to {most}, which {scaler.title} keeps to"


def _scales(scaler: Manifest, target: Manifest) -> bool:
    wanted = dig(scaler.body, "spec", "scaleTargetRef")
    return scaler.kind == "HorizontalPodAutoscaler" and (
        (wanted.get("kind"), wanted.get("name"), scaler.namespace) == (target.kind, target.name, target.namespace)
    )
