"""Know what is imported without a statement that shows it. Pure.

The service and its wheels name modules in strings (`"uvicorn.loops.auto:factory"`). The standard library imports in
functions, which are not followed, because most are for what a service never does; the few here are for what many do. A
row counts where its module is needed and the service or one of its wheels uses the word. Python 3.11.
"""

import re
from collections.abc import Collection, Iterator, Mapping

_ANY = ""  # it is imported together with the module, or by whatever it is good for
# How Python was built, in a module that is named for the platform: one of these is there.
_BUILD = ("_sysconfigdata__x86_64-linux-gnu", "_sysconfigdata__aarch64-linux-gnu")

_UNICODE = tuple(f"encodings.{name}" for name in ("utf_16_be", "utf_16_le", "utf_32_be", "utf_32_le", "utf_8_sig"))

DEFERRED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "_decimal": {_ANY: ("collections", "numbers")},
    "_elementtree": {_ANY: ("copy", "pyexpat")},
    "_pickle": {_ANY: ("_compat_pickle", "copyreg", "functools")},
    "_sqlite3": {_ANY: ("functools",)},
    "argparse": {"ArgumentParser": ("shutil",)},
    "concurrent.futures": {
        "ProcessPoolExecutor": ("concurrent.futures.process",),
        "ThreadPoolExecutor": ("concurrent.futures.thread",),
    },
    "datetime": {"strptime": ("_strptime",)},
    "email": dict.fromkeys(("message_from_bytes", "message_from_string"), ("email.parser",)),
    "email.message": {
        **dict.fromkeys(("as_bytes", "as_string"), ("email.generator",)),
        **dict.fromkeys(("EmailMessage", "set_content"), ("email.policy",)),
    },
    "functools": {"singledispatch": ("weakref",)},
    "importlib.resources": {_ANY: ("importlib.readers",)},
    # Bytes are decoded by what they begin with, and they may be a client's.
    "json": dict.fromkeys(("json.load", "json.loads"), _UNICODE),
    "multiprocessing": {
        **dict.fromkeys(("allow_connection_pickling", "Pipe"), ("multiprocessing.connection",)),
        **dict.fromkeys(("Event", "Lock"), ("multiprocessing.synchronize",)),
        **dict.fromkeys(
            ("get_context", "Process"), ("multiprocessing.popen_fork", "multiprocessing.popen_spawn_posix")
        ),
        "Pool": ("multiprocessing.pool",),
        "Queue": ("multiprocessing.queues",),
    },
    "multiprocessing.popen_spawn_posix": {_ANY: ("multiprocessing.resource_tracker",)},
    "sysconfig": dict.fromkeys(("get_config_var", "get_config_vars", "get_path", "get_paths"), _BUILD),
    "time": {"strptime": ("_strptime",)},
    "xml.dom.minidom": {"parseString": ("xml.dom.expatbuilder",)},
    "xml.sax": {_ANY: ("xml.sax.expatreader",)},
    "zoneinfo": {_ANY: _BUILD},
}
"""By module and by word: what is imported then."""

_WORDS = {word for words in DEFERRED.values() for word in words if word}
_WORD = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(_WORDS)))})\b".encode())


_NAME = re.compile(rb"""["']([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?::\w+)?["']""")


# `import_module(f"anyio._backends._{name}")`, `"radicale.%s.%s" % …`: a module is imported by a name put together.
_IMPORTS = re.compile(rb"\bimport_module\b|\b__import__\b")
_BEGUN = re.compile(rb"""["']([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\.\w*)(?:\{|%s)""")


def begun(source: bytes) -> frozenset[str]:
    """Return how the names of modules begin that a source puts together and imports: a package, and perhaps more."""
    if not _IMPORTS.search(source):
        return frozenset()
    return frozenset(name.decode("ascii", "replace") for name in _BEGUN.findall(source))


def named(source: bytes) -> frozenset[str]:
    """Return the dotted names that a source has as strings of their own; most are modules, or something in one."""
    return frozenset(name.decode("ascii", "replace") for name in _NAME.findall(source))


def words(source: bytes) -> frozenset[str]:
    """Return the words of the table that a source uses."""
    return frozenset(word.decode() for word in _WORD.findall(source))


def deferred(needed: Collection[str], used: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield what is needed besides, as pairs of a module and the one that will import it."""
    for by, table in DEFERRED.items():
        if by in needed:
            yield from ((name, by) for word, names in table.items() if not word or word in used for name in names)
