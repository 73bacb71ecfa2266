"""Write the image: an OCI layout with one manifest a platform and an index, the same bytes on every machine."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from pipeline.digest import Digest, Reference
from pipeline.errors import SubjectFailed
from pipeline.image import layer, oci, rootfs
from pipeline.image.blobs import Blobs, layers_of
from pipeline.image.bytecode import Interpreter, this_platform
from pipeline.image.oci import Runtime
from pipeline.image.planning import Interior, Plan, plan, review
from pipeline.image.rootfs import Contents
from pipeline.image.tree import Component, Tree
from pipeline.image.unpacking import unpack
from pipeline.locked import debian
from pipeline.locked.debian import Lock
from pipeline.processes import apart
from pipeline.stage import Context
from pipeline.venv import locked_wheels, scratch, service_wheel

_ANNOTATION = "org.opencontainers.image"


async def image(context: Context) -> str:
    """Write layout/, image.json, keep.toml and closure.json; raise `SubjectFailed` when the service is at fault."""
    here = this_platform(context.config.image.platforms)
    lock_file = context.config.image.package_lock
    lock = Lock.parse(await anyio.Path(lock_file).read_text(encoding="utf-8"), lock_file.name)
    async with scratch(context) as work:
        context.say("unpacking")
        trees = await _unpack(context, lock, work)
        interpreter = Interpreter(context.tools, trees[here].root, oci.architecture(here))
        interior = Interior(*await interpreter.inside())

        context.say("reading imports")
        plans = {}
        for platform, tree in trees.items():
            plans[platform] = await anyio.to_thread.run_sync(plan, context.config, lock, platform, tree, interior)
        await anyio.to_thread.run_sync(review, context.config, plans.values(), context.out)

        contents = await _compile(context, interpreter, plans, work)
        layer_lists = [list(each.layers.values()) for each in contents.values()]
        for layers in layer_lists:
            layer.check(layers)
        context.say("writing layers")
        document = await _write(context, lock, plans, contents)
    context.write_json("image.json", document)
    context.write_json("closure.json", {platform: vars(each.closure) for platform, each in plans.items()})
    sizes = " and ".join(f"{entry['size'] / 1e6:.2f} MB" for entry in document["platforms"].values())
    return f"{sizes} for {', '.join(document['platforms'])}, {document['digest']}"


async def _unpack(context: Context, lock: Lock, work: Path) -> dict[str, Tree]:
    """Unpack everything for each platform, all platforms at once: each in a process, threads would wait in turn."""
    service = service_wheel(context)
    trees: dict[str, Tree] = {}

    async def fill(platform: str) -> None:
        parts = await anyio.to_thread.run_sync(_parts, context, lock, platform)
        root = work / platform.replace("/", "-")
        trees[platform] = await apart(unpack, root, parts, service, platform)

    async with anyio.create_task_group() as group:
        for platform in context.config.image.platforms:
            group.start_soon(fill, platform)
    return {platform: trees[platform] for platform in context.config.image.platforms}


def _parts(context: Context, lock: Lock, platform: str) -> list[tuple[Component, Path]]:
    """Return what is locked for a platform, each with its file."""
    parts: list[tuple[Component, Path]] = []
    locked = locked_wheels(context, platform)  # before anything is asked of the store: it may be no such document
    for package in lock.select(platform, context.config.image.extra_packages):
        component = Component("deb", package.name, package.version, package.architecture)
        parts.append((component, _fetch(context, component, package.digest)))
    for wheel in locked:
        component = Component("pypi", wheel["name"], wheel["version"])
        parts.append((component, _fetch(context, component, Digest.parse(wheel["digest"]))))
    return parts


def _fetch(context: Context, component: Component, digest: Digest) -> Path:
    context.material(component.purl, digest)
    return context.store.get(digest)


async def _compile(
    context: Context, interpreter: Interpreter, plans: Mapping[str, Plan], work: Path
) -> dict[str, Contents]:
    context.say("compiling")
    whole = context.config.image.runtime == "full"
    target = work / "compiled"
    await anyio.Path(target).mkdir()
    trees, kept = {p: each.tree for p, each in plans.items()}, {p: each.kept for p, each in plans.items()}
    jobs = rootfs.jobs(trees, kept, target, whole=whole)
    every = {job.target: job for mine in jobs.values() for job in mine.values()}
    failed = await interpreter.compile(list(every.values()), work / "compile.json")
    for platform, each in plans.items():
        _refuse(failed, each, whole=whole)
        jobs[platform] = {path: job for path, job in jobs[platform].items() if job.name not in failed}
    return {
        platform: rootfs.contents(
            each.tree, each.kept, {path: job.target for path, job in jobs[platform].items()}, sources=whole
        )
        for platform, each in plans.items()
    }


def _refuse(failed: Mapping[str, str], plan: Plan, *, whole: bool) -> None:
    """Refuse sources that do not compile; those of a whole wheel may be for another Python, if nobody needs them."""
    for name, message in failed.items():
        file = plan.tree.files.get(name.lstrip("/"))
        if file and (not whole or file.owner == plan.tree.service):
            raise SubjectFailed(
                f"{file.path} of {file.owner.name} does not compile",
                why=message.strip().splitlines(),
                do="correct it; the image has Python 3.11",
            )


async def _write(
    context: Context, lock: Lock, plans: Mapping[str, Plan], contents: Mapping[str, Contents]
) -> dict[str, Any]:
    """Write the layout, and return image.json."""
    blobs = Blobs(context.out / "layout")
    blobs.begin()
    before = context.run_dir / "image"
    blobs.remember(before / "layout", layers_of(before / "image.json"))
    service = next(iter(plans.values())).service
    labels = _labels(context, lock, service)
    manifests, platforms = [], {}
    written_layers = await blobs.layers(contents[platform].layers for platform in plans)
    for (platform, each), layers in zip(plans.items(), written_layers, strict=True):
        configuration = blobs.put(oci.CONFIG, oci.config(platform, _runtime(context, each, labels), layers))
        written = blobs.put(oci.MANIFEST, oci.manifest(configuration, layers, labels))
        manifests.append(replace(written, platform=platform))
        size = written.size + configuration.size + sum(layer.descriptor.size for layer in layers)
        platforms[platform] = {"digest": str(written.digest), "size": size, **_list(layers, contents[platform])}
    index = blobs.put(oci.INDEX, oci.index(manifests, labels))
    blobs.finish(index)
    host, _, repository = context.config.image.repository.partition("/")
    return {
        "format": oci.FORMAT,
        "reference": str(Reference(host, repository, index.digest)),
        "digest": str(index.digest),
        "platforms": platforms,
        "service": {"name": service.name, "version": service.version},
    }


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
        "supply-chain-pipeline.format": str(oci.FORMAT),
    }
    return {name: value for name, value in known.items() if value}


def _runtime(context: Context, plan: Plan, labels: Mapping[str, str]) -> Runtime:
    service = context.config.service
    environment = {"PATH": "/usr/bin", **service.environment}
    return Runtime(plan.entrypoint, environment, service.port, f"{rootfs.USER}:{rootfs.USER}", labels)


def _list(layers: list[oci.Layer], contents: Contents) -> dict[str, Any]:
    return {
        "layers": [
            {
                "name": layer.name,
                "digest": str(layer.descriptor.digest),
                "diff_id": str(layer.diff_id),
                "size": layer.descriptor.size,
            }
            for layer in layers
        ],
        "packages": [
            {
                "purl": component.purl,
                "name": component.name,
                "version": component.version,
                "type": component.type,
                "files": paths,
            }
            for component, paths in contents.owners.items()
        ],
        "generated": list(contents.generated),
        "files": sum(len(entries) for entries in contents.layers.values()),
    }
