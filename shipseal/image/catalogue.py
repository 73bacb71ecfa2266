"""Name the modules that could be imported from an unpacked tree."""

import re
from functools import partial
from pathlib import PurePosixPath

from shipseal.formats import elf
from shipseal.image.closure import Module, Origin
from shipseal.image.libraries import search_path
from shipseal.image.tree import File, Tree
from shipseal.runtime import Runtime

_CFFI = "_cffi_backend"  # which the code imports that cffi makes, and no statement in Python shows it

# Debian 13's tempfile says that it can do without shutil, and fails where it has to (python3.13 3.13.5-2).
_BESIDES = {("3.13", "tempfile"): ("shutil",)}
"""By version of Python and module: what it imports and cannot do without, whatever it says."""


def modules(tree: Tree, architecture: str) -> dict[str, Module]:
    """Return every module of the tree by its name.

    An extension module comes before a source of the same name, as in the interpreter; its imports are then read from
    that source. Directories of a wheel without `__init__` are namespace packages (PEP 420), with an empty path.
    """
    found: dict[str, Module] = {}
    for path in sorted(tree.files, key=lambda path: (not path.endswith(".py"), path)):
        file = tree.files[path]
        name = None if file.link else _name(path, tree.runtime)
        if name:
            found[name] = _module(tree, file, name, architecture, found.get(name))
    for module in list(found.values()):
        for parent in (str(parent) for parent in PurePosixPath(module.name.replace(".", "/")).parents):
            if parent != "." and module.origin is not Origin.STANDARD:
                namespace = parent.replace("/", ".")
                found.setdefault(namespace, Module(namespace, "", module.origin, package=True, source=bytes))
    return found


def _name(path: str, runtime: Runtime) -> str | None:
    """Return the name under which a file can be imported, or None when it cannot."""
    places = (runtime.dynamic, runtime.site, runtime.standard)
    base = next((base for base in places if path.startswith(f"{base}/")), None)
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
        besides = _BESIDES.get((tree.runtime.python, name), ()) if origin is Origin.STANDARD else ()
        return Module(name, file.path, origin, package, partial(tree.read, file.path), compiled_in=besides)
    loadable = origin is not Origin.STANDARD or _loadable(tree, file.path, architecture)
    source = beside.source if beside else None
    return Module(name, file.path, origin, package, source, loadable, _compiled_in(tree, file.path, name, origin))


def _compiled_in(tree: Tree, path: str, name: str, origin: Origin) -> tuple[str, ...]:
    """Return what compiled code of a wheel may import.

    What cffi has generated asks for its own module ("Using the ffi/lib objects", _cffi_include.h); modules of the
    code's own package are named in it whole, as PyImport_ImportModule takes them.
    """
    if origin is Origin.STANDARD:
        return ()
    data, top = tree.read(path), name.partition(".")[0]
    named = re.findall(rb"\0(" + re.escape(top).encode() + rb"(?:\.[A-Za-z_][A-Za-z0-9_]*)+)(?=\0)", data)
    return (*([_CFFI] if _CFFI.encode() in data else []), *sorted({each.decode() for each in named} - {name}))


def _loadable(tree: Tree, path: str, architecture: str) -> bool:
    with tree.content(path).open("rb") as stream:
        wanted = elf.read(stream, path).needed
    return all(any(tree.follow(f"{place}/{library}") for place in search_path(architecture)) for library in wanted)
