"""Review rendered manifests: first whether each is what Kubernetes takes, then the image, then what it would weaken.

The order is the point: what judges the manifests need not ask again whether a list is a list. Pure: the schemas are
files of the package that knows them (kubernetes-validate).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from shipseal.deploying.admission import Problem, problems, require
from shipseal.deploying.manifests import Manifest, image_of, parse, set_image
from shipseal.digest import Reference
from shipseal.errors import ConfigError

_LONGEST = 240
_NEVER_NULL = ("spec", "template", "jobTemplate")


def review(
    rendered: bytes, version: str, container: str, reference: Reference, also: Collection[Reference] = ()
) -> tuple[Manifest, ...]:
    """Return the manifests that may be applied, with the image of the service's container by digest.

    Args:
        rendered: what `kustomize build` wrote.
        version: the version of Kubernetes whose schemas are used, `1.35`.
        container: the name of the service's container.
        reference: the verified image.
        also: images of others that containers beside the service's may run ([deploy] also-images).

    Raises:
        ConfigError: there are no schemas for this version, or not one container of that name.
        SubjectFailed: the manifests do not fit the schemas, would weaken a cluster, or run what nobody verified.
    """
    manifests = parse(rendered)
    require(list(_misfits(manifests, version)))
    manifests = set_image(manifests, container, reference)
    require([*problems(manifests), *_strangers(manifests, {reference, *also})])
    return manifests


def _strangers(manifests: Sequence[Manifest], known: Collection[Reference]) -> Iterator[Problem]:
    """Yield every image by digest that is not one of `known`; of one that is not by digest admission speaks."""
    for manifest in manifests:
        for container in manifest.containers():
            image = image_of(container)
            if image is not None and image not in known:
                what = f"image {image} is neither the verified one nor in [deploy] also-images"
                yield Problem(manifest.title, f"container {container.get('name')}: {what}")


def _misfits(manifests: Sequence[Manifest], version: str) -> Iterator[Problem]:
    """Yield where a manifest differs from the schema of its kind, unknown fields included."""
    import kubernetes_validate  # type: ignore[import-untyped]  # noqa: PLC0415 - slow, and few verbs come this far

    known = {known.rpartition(".")[0] for known in kubernetes_validate.utils.all_versions()}
    if version not in known:  # the library would quietly take the nearest older one
        raise ConfigError(
            f"there are no schemas for Kubernetes {version}",
            why=f"there are some for {', '.join(sorted(known, key=lambda name: int(name.partition('.')[2])))}",
            remedy="set [deploy] kubernetes to the version of the cluster",
        )
    for manifest in manifests:
        yield from (Problem(manifest.title, what) for what in _nulls(manifest.body, ()))
        try:
            kubernetes_validate.validate(dict(manifest.body), version, strict=True)
        except kubernetes_validate.ValidationError as misfit:
            where = ".".join(str(step) for step in misfit.path)
            yield Problem(manifest.title, f"{where or 'the object'}: {_short(misfit.message)}")
        except kubernetes_validate.SchemaNotFoundError:
            yield Problem(manifest.title, f"Kubernetes {version} has no {manifest.body['apiVersion']} of this kind")


def _nulls(value: object, path: tuple[str, ...]) -> Iterator[str]:
    """Yield nulls that these schemas let pass, and that Kubernetes fills with an object in which nothing is."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if inner is None and key in _NEVER_NULL:
                yield f"{'.'.join((*path, key))}: None is not of type 'object'"
            yield from _nulls(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if inner is None:
                yield f"{'.'.join((*path, str(index)))}: None is not of type 'object' or 'string'"
            yield from _nulls(inner, (*path, str(index)))


def _short(message: str) -> str:
    """Return what a schema says; its reason stands at the end, behind the whole of what it is about."""
    return message if len(message) <= _LONGEST else f"…{message[-_LONGEST:]}"
