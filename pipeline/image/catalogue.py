"""Name the modules that could be imported from an unpacked tree."""

from functools import partial
from pathlib import PurePosixPath

from pipeline.formats import elf
from pipeline.image.closure import Module, Origin
from pipeline.image.libraries import search_path
from pipeline.image.tree import SITE, STANDARD, File, Tree

_DYNAMIC = f"{STANDARD}/lib-dynload"


def modules(tree: Tree, architecture: str) -> dict[str, Module]:
    """Return every module of the tree by its name.

    An extension module comes before a source of the same name, as in the interpreter; its imports are then read from
    that source. Directories of a wheel without `__init__` are namespace packages (PEP 420), with an empty path.
    """
    found: dict[str, Module] = {}
    for path in sorted(tree.files, key=lambda path: (not path.endswith(".py"), path)):
        file = tree.files[path]
        name = None if file.link else _name(path)
        if name:
            found[name] = _module(tree, file, name, architecture, found.get(name))
    for module in list(found.values()):
        for parent in (str(parent) for parent in PurePosixPath(module.name.replace(".", "/")).parents):
            if parent != "." and module.origin is not Origin.STANDARD:
                namespace = parent.replace("/", ".")
                found.setdefault(namespace, Module(namespace, "", module.origin, package=True, source=bytes))
    return found


def _name(path: str) -> str | None:
    """Return the name under which a file can be imported, or None when it cannot."""
    base = next((base for base in (_DYNAMIC, SITE, STANDARD) if path.startswith(f"{base}/")), None)
    if base is None or not path.endswith((".py", ".so")):
        return None
    *packages, last = path.removeprefix(f"{base}/").split("/")
    parts = [*packages, last.partition(".")[0]]
    if not all(part.replace("-", "_").isidentifier() for part in parts):  # `_sysconfigdata__x86_64-linux-gnu`
        return None
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or None


def _module(tree: Tree, file: File, name: str, architecture: str, beside: Module | None) -> Module:
    origin = Origin.STANDARD if file.owner.type == "deb" else Origin.WHEEL
    if file.owner == tree.service:
        origin = Origin.SERVICE
    package = PurePosixPath(file.path).name.startswith("__init__.")
    if file.path.endswith(".py"):
        return Module(name, file.path, origin, package, partial(tree.read, file.path))
    loadable = origin is not Origin.STANDARD or _loadable(tree, file.path, architecture)
    return Module(name, file.path, origin, package, beside.source if beside else None, loadable)


def _loadable(tree: Tree, path: str, architecture: str) -> bool:
    with tree.content(path).open("rb") as stream:
        wanted = elf.read(stream, path).needed
    return all(any(tree.follow(f"{place}/{library}") for place in search_path(architecture)) for library in wanted)
