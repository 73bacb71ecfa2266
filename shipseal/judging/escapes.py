"""Name what defeats a reading of imports: the ways by which a service may import what no statement shows. Pure."""

from collections.abc import Iterator

from shipseal.judging.image_holdings import Holdings, ImportClosure

# Of these a word in the service or a wheel is enough: whoever uses one can import a module by a name made at run time.
WORDS = (
    *("__import__", "import_module", "load_module", "exec_module", "find_spec", "spec_from_file_location"),
    *("module_from_spec", "exec", "eval", "entry_points", "run_module", "run_path", "resolve_name"),
)
# The service imports nothing of these without a use for it, and each imports, loads or starts what it is told.
_MODULES = frozenset(
    {
        *("_ctypes", "_pickle", "code", "codeop", "ctypes", "imp", "importlib.metadata", "logging.config"),
        *("multiprocessing", "pickle", "pkgutil", "pydoc", "shelve", "subprocess", "unittest", "xmlrpc"),
    }
)


def escapes(holdings: Holdings) -> list[str]:
    """Return the reasons for which what is outside of the closure may be imported all the same.

    The standard library's own imports are known, those in functions too (`shipseal.image.dynamic_imports`); what it
    imports for others by name, it does in one of the modules here. What a wheel has compiled may import anything.
    """
    found = {why for closure in holdings.closures.values() for why in _of(closure, holdings)}
    found |= {f"{path} lets Python code call any function" for path in holdings.foreign()}
    return sorted(found)


def _of(closure: ImportClosure, holdings: Holdings) -> Iterator[str]:
    for name in sorted(closure.needed & _MODULES):
        yield f"the service imports {name}"
    for path, owners in holdings.owners.items():
        if any(owner.type == "pypi" for owner in owners):
            if path in holdings.imports:
                yield f"{path} is compiled, and may import anything"
            for word in sorted(holdings.words.get(path, frozenset()) & frozenset(WORDS)):
                yield f"{path} uses {word}"
