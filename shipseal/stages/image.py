"""Write the image: an OCI layout with one manifest a platform and an index, the same bytes on every machine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from shipseal.digest import Digest, Reference
from shipseal.documents.image import (
    ClosureDocument,
    ClosurePlatform,
    ImageDocument,
    ImageLayer,
    ImagePackage,
    ImagePlatform,
    ImageService,
    OfferedDocument,
)
from shipseal.engine.inputs_of import locked_wheels, service_wheel
from shipseal.engine.keys import code
from shipseal.engine.stage import Context
from shipseal.engine.workspace import scratch
from shipseal.image import layer_cache, rootfs
from shipseal.image.bytecode import Interpreter, this_platform
from shipseal.image.candidates import offered
from shipseal.image.layer_cache import Written
from shipseal.image.layering import Layering, Parts
from shipseal.image.planning import ImagePlan, Interior, plan, review
from shipseal.image.tree import Component, Tree
from shipseal.image.unpacking import unpack
from shipseal.locked import debian
from shipseal.locked.debian import Lock
from shipseal.oci import documents
from shipseal.oci.blobs import Blobs
from shipseal.oci.documents import ContainerConfig, Layer
from shipseal.platforms import Platform

_ANNOTATION = "org.opencontainers.image"


async def image(context: Context) -> str:
    """Write layout/, image.json, layers.json, keep.toml, closure.json and offered.json.

    Raises:
        SubjectFailed: the service is at fault, or what it brings.
    """
    here = this_platform(context.config.image.platforms)
    lock_file = context.config.image.package_lock
    lock = Lock.parse(await anyio.Path(lock_file).read_text(encoding="utf-8"), lock_file.name)
    async with scratch(context) as work:
        context.say("unpacking")
        before = context.run_dir / "image"
        trees, earlier = await _unpack(context, lock, work, before)
        interpreter = Interpreter(context.tools, trees[here].root, Platform.parse(here).architecture, lock.runtime)
        interior = Interior(*await interpreter.inside())

        context.say("reading imports")
        plans = {}
        for platform, tree in trees.items():
            plans[platform] = await anyio.to_thread.run_sync(plan, context.config, lock, platform, tree, interior)
        await anyio.to_thread.run_sync(review, context.config, plans.values(), context.out)

        blobs = Blobs(context.out / "layout")
        layering = Layering(blobs, interpreter, context.config.image.runtime == "full", work, context.say)
        parts = _parts(context, plans, here)
        layers = await layering.make(parts.values(), earlier, before / "layout")
    document = _write(context, lock, blobs, plans, parts, layers)
    document.write(context)
    layer_cache.document(layers).write(context)
    closures = {platform: ClosurePlatform(**vars(each.closure)) for platform, each in plans.items()}
    ClosureDocument(closures).write(context)
    OfferedDocument({platform: offered(each.tree, interior) for platform, each in plans.items()}).write(context)
    sizes = " and ".join(f"{entry.size / 1e6:.2f} MB" for entry in document.platforms.values())
    return f"{sizes} for {', '.join(document.platforms)}, {document.digest}"


async def _unpack(
    context: Context, lock: Lock, work: Path, before: Path
) -> tuple[dict[str, Tree], dict[Digest, Written]]:
    """Unpack everything for each platform, and look at the layers of an earlier run, all at once."""
    service = service_wheel(context)
    trees: dict[str, Tree] = {}
    earlier: dict[Digest, Written] = {}

    async def fill(platform: str) -> None:
        locked = await anyio.to_thread.run_sync(_locked, context, lock, platform)
        root = work / Platform.parse(platform).directory
        trees[platform] = await anyio.to_thread.run_sync(unpack, root, locked, service, platform, lock.runtime)

    async def look() -> None:
        earlier.update(await anyio.to_thread.run_sync(layer_cache.previous_layers, before))

    async with anyio.create_task_group() as group:
        for platform in context.config.image.platforms:
            group.start_soon(fill, platform)
        group.start_soon(look)
    return {platform: trees[platform] for platform in context.config.image.platforms}, earlier


def _locked(context: Context, lock: Lock, platform: str) -> list[tuple[Component, Path]]:
    """Return what is locked for a platform, each with its file."""
    parts: list[tuple[Component, Path]] = []
    locked = locked_wheels(context, platform)  # before anything is asked of the store: it may be no such document
    for package in lock.select(platform, context.config.image.extra_packages):
        component = Component("deb", package.name, package.version, package.architecture, lock.runtime.release)
        parts.append((component, _fetch(context, component, package.digest)))
    for wheel in locked:
        component = Component("pypi", wheel.name, wheel.version)
        parts.append((component, _fetch(context, component, wheel.digest)))
    return parts


def _fetch(context: Context, component: Component, digest: Digest) -> Path:
    context.material(component.purl, digest)
    return context.store.get(digest)


def _parts(context: Context, plans: Mapping[str, ImagePlan], here: str) -> dict[str, Parts]:
    """Divide what each platform's image holds into layers."""
    digests = {**context.materials, plans[here].service.purl: Digest.of_file(service_wheel(context))}
    deciding = {
        "code": str(code()),
        "interpreter": sorted(str(digests[package.purl]) for package in plans[here].tree.control),
        "whole": context.config.image.runtime == "full",
    }
    return {
        platform: {part.inputs(digests, **deciding): part for part in rootfs.divide(each.tree, each.kept)}
        for platform, each in plans.items()
    }


def _write(
    context: Context,
    lock: Lock,
    blobs: Blobs,
    plans: Mapping[str, ImagePlan],
    parts: Mapping[str, Parts],
    layers: Mapping[Digest, Written],
) -> ImageDocument:
    """Write the layout's documents, and say what the image is."""
    service = next(iter(plans.values())).service
    labels = _labels(context, lock, service)
    manifests, platforms = [], {}
    for platform, each in plans.items():
        named = [replace(layers[inputs].layer, name=part.name) for inputs, part in parts[platform].items()]
        configuration = blobs.put(documents.CONFIG, documents.config(platform, _runtime(context, each, labels), named))
        manifest = blobs.put(documents.MANIFEST, documents.manifest(configuration, named, labels))
        manifests.append(replace(manifest, platform=platform))
        size = manifest.size + configuration.size + sum(layer.descriptor.size for layer in named)
        platforms[platform] = _list(manifest.digest, size, named, _owned(parts[platform], layers))
    index = blobs.put(documents.INDEX, documents.index(manifests, labels))
    blobs.finish(index)
    host, _, repository = context.config.image.repository.partition("/")
    return ImageDocument(
        format=documents.FORMAT,
        reference=Reference(host, repository, index.digest),
        digest=index.digest,
        platforms=platforms,
        service=ImageService(name=service.name, version=service.version),
    )


def _labels(context: Context, lock: Lock, service: Component) -> dict[str, str]:
    """Return what the image says of itself (annotations.md): nothing that its inputs do not determine."""
    config = context.config
    packages = {p for platform in config.image.platforms for p in lock.select(platform, config.image.extra_packages)}
    known = {
        f"{_ANNOTATION}.title": config.service.name,
        f"{_ANNOTATION}.version": service.version,
        f"{_ANNOTATION}.source": config.image.source,
        f"{_ANNOTATION}.licenses": config.image.licenses,
        f"{_ANNOTATION}.base.name": f"debian:{lock.suite}",
        "supply-chain-pipeline.packages": str(debian.digest(packages)),
        "supply-chain-pipeline.format": str(documents.FORMAT),
    }
    return {name: value for name, value in known.items() if value}


def _runtime(context: Context, plan: ImagePlan, labels: Mapping[str, str]) -> ContainerConfig:
    service = context.config.service
    environment = {"PATH": "/usr/bin", **service.environment}
    return ContainerConfig(plan.entrypoint, environment, service.port, f"{rootfs.USER}:{rootfs.USER}", labels)


def _owned(parts: Parts, layers: Mapping[Digest, Written]) -> dict[Component, tuple[str, ...]]:
    """Return the paths of what each component has in the image."""
    return {
        component: tuple(layers[inputs].files[component.purl])
        for inputs, part in parts.items()
        for component in part.files
    }


def _list(
    manifest: Digest, size: int, named: Sequence[Layer], owned: Mapping[Component, tuple[str, ...]]
) -> ImagePlatform:
    generated = tuple(entry.path for entry in rootfs.GENERATED)
    return ImagePlatform(
        digest=manifest,
        size=size,
        layers=tuple(
            ImageLayer(
                name=layer.name, digest=layer.descriptor.digest, diff_id=layer.diff_id, size=layer.descriptor.size
            )
            for layer in named
        ),
        packages=tuple(
            ImagePackage(
                purl=component.purl,
                name=component.name,
                version=component.version,
                type=component.type,
                files=paths,
            )
            for component, paths in sorted(owned.items())
        ),
        generated=generated,
        files=len(generated) + sum(map(len, owned.values())),
    )
