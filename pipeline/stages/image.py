"""Write the image: an OCI layout with one manifest a platform and an index, the same bytes on every machine."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from pipeline import debian, layer, oci, rootfs, selection, start, wheels
from pipeline.blobs import Blobs, layers_of
from pipeline.bytecode import Interpreter, this_platform
from pipeline.catalogue import modules
from pipeline.closure import Closure, Module, close
from pipeline.debian import Lock, Package
from pipeline.digest import Digest, Reference
from pipeline.errors import SubjectFailed
from pipeline.oci import Runtime
from pipeline.rootfs import Contents
from pipeline.stage import Context
from pipeline.tree import Component, File, Tree, unpack_deb, unpack_wheel
from pipeline.venv import scratch

_ANNOTATION = "org.opencontainers.image"


@dataclass(frozen=True)
class _Plan:
    """What one platform's image will hold."""

    tree: Tree
    entrypoint: tuple[str, ...]
    closure: Closure
    kept: set[str]


async def image(context: Context) -> str:
    """Write layout/ and image.json; raise `SubjectFailed` when the service lacks something or cannot be compiled."""
    inputs = context.read_json("inputs", "inputs.json")
    here = this_platform(context.config.image.platforms)
    lock_file = context.config.image.package_lock
    lock = Lock.parse(await anyio.Path(lock_file).read_text(encoding="utf-8"), lock_file.name)
    async with scratch(context) as work:
        context.say("unpacking")
        trees = await _unpack(context, lock, inputs, work)
        interpreter = Interpreter(context.tools, trees[here].root, oci.architecture(here))
        builtin, frozen = await interpreter.inside()

        context.say("reading imports")
        plans = {}
        for platform, tree in trees.items():
            plans[platform] = await anyio.to_thread.run_sync(_plan, context, lock, platform, tree, builtin, frozen)

        contents = await _compile(context, interpreter, plans, work)
        layer_lists = [list(each.layers.values()) for each in contents.values()]
        for layers in layer_lists:
            layer.check(layers)
        context.say("writing layers")
        document = await anyio.to_thread.run_sync(_write, context, lock, plans, contents)
    context.write_json("image.json", document)
    context.write_json("closure.json", {platform: _explain(plan.closure) for platform, plan in plans.items()})
    sizes = " and ".join(f"{entry['size'] / 1e6:.2f} MB" for entry in document["platforms"].values())
    return f"{sizes} for {', '.join(document['platforms'])}, {document['digest']}"


async def _unpack(context: Context, lock: Lock, inputs: Mapping[str, Any], work: Path) -> dict[str, Tree]:
    service = next(iter(sorted((context.of("build") / "wheels" / "service").glob("*.whl"))))
    trees = {platform: Tree(work / platform.replace("/", "-")) for platform in context.config.image.platforms}
    async with anyio.create_task_group() as group:
        for platform, tree in trees.items():
            group.start_soon(
                anyio.to_thread.run_sync, _fill, context, lock.select(platform, context.config.image.extra_packages),
                inputs["wheels"][platform], service, platform, tree,
            )  # fmt: skip
    return trees


def _fill(
    context: Context, packages: list[Package], locked: list[dict[str, str]], service: Path, platform: str, tree: Tree
) -> None:
    for package in packages:
        component = Component("deb", package.name, package.version, package.architecture)
        context.material(component.purl, package.digest)
        unpack_deb(tree, context.store.get(package.digest), component)
    for wheel in locked:
        component, digest = Component("pypi", wheel["name"], wheel["version"]), Digest.parse(wheel["digest"])
        context.material(component.purl, digest)
        unpack_wheel(tree, context.store.get(digest), component)
    tree.service = _service(service, platform)
    unpack_wheel(tree, service, tree.service)


def _service(wheel: Path, platform: str) -> Component:
    try:
        name, version, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise SubjectFailed(f"{wheel.name} is not the name of a wheel", why=str(error)) from error
    if tags.isdisjoint(wheels.image(platform).tags):
        raise SubjectFailed(
            f"{wheel.name} does not fit {platform}",
            why=f"Debian 12's Python 3.11 there takes none of {', '.join(sorted(map(str, tags)))}",
            do="build a wheel without compiled code, or leave the platform out of image.platforms",
        )
    return Component("pypi", str(name), str(version))


def _plan(
    context: Context, lock: Lock, platform: str, tree: Tree, builtin: frozenset[str], frozen: frozenset[str]
) -> _Plan:
    config = context.config.image
    architecture = oci.architecture(platform)
    found = modules(tree, architecture)
    begin = start.start(context.config.service, found)
    for path, source in begin.generated.items():
        _add(tree, path, source)
    if begin.generated:
        found = modules(tree, architecture)
    closure = close(found, builtin | frozen, [*selection.ALWAYS, *begin.seeds, *config.modules])
    needed: list[Module] = [found[name] for name in closure.needed]
    asked = selection.Asked(config.runtime == "full", config.extra_packages, config.package_data)
    provider = partial(lock.provider, platform=platform)
    kept = selection.select(tree, needed, frozen, architecture, asked, provider)
    return _Plan(tree, begin.entrypoint, closure, kept)


def _add(tree: Tree, path: str, source: Path) -> None:
    assert tree.service is not None
    shutil.copyfile(source, tree.add(File(path, tree.service)))


async def _compile(
    context: Context, interpreter: Interpreter, plans: Mapping[str, _Plan], work: Path
) -> dict[str, Contents]:
    context.say("compiling")
    whole = context.config.image.runtime == "full"
    target = work / "compiled"
    await anyio.Path(target).mkdir()
    jobs = rootfs.jobs({p: plan.tree for p, plan in plans.items()}, {p: plan.kept for p, plan in plans.items()}, target)
    every = {job.target: job for mine in jobs.values() for job in mine.values()}
    failed = await interpreter.compile(list(every.values()), work / "compile.json")
    for platform, plan in plans.items():
        _refuse(failed, plan, whole=whole)
        jobs[platform] = {path: job for path, job in jobs[platform].items() if job.name not in failed}
    return {
        platform: rootfs.contents(
            plan.tree, plan.kept, {path: job.target for path, job in jobs[platform].items()}, sources=whole
        )
        for platform, plan in plans.items()
    }


def _refuse(failed: Mapping[str, str], plan: _Plan, *, whole: bool) -> None:
    """Refuse sources that do not compile; those of a whole wheel may be for another Python, if nobody needs them."""
    for name, message in failed.items():
        file = plan.tree.files.get(name.lstrip("/"))
        if file and (not whole or file.owner == plan.tree.service):
            raise SubjectFailed(
                f"{file.path} of {file.owner.name} does not compile",
                why=message.strip().splitlines(),
                do="correct it; the image has Python 3.11",
            )


def _write(
    context: Context, lock: Lock, plans: Mapping[str, _Plan], contents: Mapping[str, Contents]
) -> dict[str, Any]:
    """Write the layout, and return image.json."""
    blobs = Blobs(context.out / "layout")
    blobs.begin()
    before = context.run_dir / "image"
    blobs.remember(before / "layout", layers_of(before / "image.json"))
    service = next(plan.tree.service for plan in plans.values())
    assert service is not None
    labels = _labels(context, lock, service)
    manifests, platforms = [], {}
    for platform, plan in plans.items():
        layers = [blobs.layer(name, entries) for name, entries in contents[platform].layers.items()]
        configuration = blobs.put(oci.CONFIG, oci.config(platform, _runtime(context, plan, labels), layers))
        written = blobs.put(oci.MANIFEST, oci.manifest(configuration, layers, labels))
        manifests.append(replace(written, platform=platform))
        size = written.size + configuration.size + sum(each.descriptor.size for each in layers)
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


def _runtime(context: Context, plan: _Plan, labels: Mapping[str, str]) -> Runtime:
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


def _explain(closure: Closure) -> dict[str, Any]:
    return {"needed": closure.needed, "left_out": closure.left_out}
