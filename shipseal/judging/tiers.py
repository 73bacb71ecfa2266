"""Look for the vulnerable code of an advisory in one image, and say what was seen, tier by tier. Pure.

E0: it is not in the image. E1: it is outside of what the service imports, by reading. E2: nobody opened it while the
image was at work. E3: the function is not in the file, or nothing in the image calls it. What follows from that is
decided in `shipseal.judging.following`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from shipseal.documents.vex import Observation
from shipseal.judging.advisories import Caller, Code
from shipseal.judging.escapes import escapes
from shipseal.judging.image_holdings import Holdings, module_pattern
from shipseal.purl import Purl

# By these a program finds a function whose name it has made: whoever imports one may call anything.
_FINDERS = frozenset({"dlsym", "dlvsym"})
_NAMED = 3
_UNWATCHED = "nobody watched the image at work"


class Reachability(Enum):
    """How the vulnerable code stands to an image, from the best that can be shown to the worst that was seen."""

    NO_PACKAGE = "the vulnerable package is not in the image"
    ABSENT = "the vulnerable code is not in the image"
    LACKING = "the file in the image has no such function"
    UNCALLED = "nothing in the image calls it"
    OUTSIDE = "the service does not import it, and nobody opened it"
    IDLE = "nobody opened it"
    UNKNOWN = "nobody can tell"
    LOADED = "the service loads it"


@dataclass(frozen=True)
class CodeFinding:
    """One place of vulnerable code in an image: how it stands, by which evidence, and what speaks against more."""

    code: Code
    standing: Reachability
    seen: tuple[Observation, ...] = ()
    against: tuple[str, ...] = ()


def examine(code: Code, callers: Iterable[Caller], holdings: Holdings) -> CodeFinding:
    """Look for one place of vulnerable code."""
    if code.package:
        return _package(code, Purl.parse(code.package), holdings)
    if code.library:
        return _library(code, tuple(callers), holdings)
    paths = holdings.files_of(code.module) if code.module else holdings.fitting(code.files)
    if not paths:
        return _absent(code, holdings)
    if code.functions and (lacking := _lacking(code, paths, holdings)):
        return CodeFinding(code, Reachability.LACKING, (lacking,))
    return _at_work(code, paths, holdings)


def _package(code: Code, package: Purl, holdings: Holdings) -> CodeFinding:
    if there := [each for each in holdings.packages if package.covers(each)]:
        return CodeFinding(code, Reachability.UNKNOWN, against=(f"the image has {there[0]}",))
    says = f"none of the image's {len(holdings.packages)} packages is {package}"
    return CodeFinding(code, Reachability.NO_PACKAGE, (Observation("E0", holdings.image, says),))


def _absent(code: Code, holdings: Holdings) -> CodeFinding:
    """Say that no path of any layer is the code, if that can be said."""
    what = code.module or code.library or " or ".join(code.files)
    against = [f"{path} may hold it" for path in holdings.archives]
    if not holdings.offered or any(code.module in each.inside for each in holdings.offered.values() if code.module):
        against.append(f"the interpreter itself may hold {what}")
    if not any(map(holdings.is_offered, _patterns(code))):
        against.append(f"nothing that the image was chosen from has {what}: the name may be misspelt")
    if against:
        return CodeFinding(code, Reachability.UNKNOWN, against=tuple(against))
    says = f"none of the {len(holdings.paths)} paths in its layers, on any platform, is {what}"
    return CodeFinding(code, Reachability.ABSENT, (Observation("E0", holdings.image, says),))


def _patterns(code: Code) -> Iterator[re.Pattern[str]]:
    if code.module:
        yield module_pattern(code.module)
    elif code.library:
        yield re.compile(rf"(?:^|/){re.escape(code.library)}(?:\.[^/]*)?$")
    else:
        yield from (re.compile(_translated(pattern)) for pattern in code.files)


def _translated(pattern: str) -> str:
    parts = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return "".join(parts) + r"\Z"


def _lacking(code: Code, paths: Iterable[str], holdings: Holdings) -> Observation | None:
    """Say that no file of a module has a function's name, which a definition would leave in source and byte code."""
    files = [path for path in paths if path.endswith((".py", ".pyc"))]
    others = [path for path in paths if path not in files]
    named = [path for path in files if holdings.words.get(path, frozenset()) & frozenset(code.functions)]
    if others or named or not all(path in holdings.words for path in files):
        return None
    return Observation("E3", holdings.image, f"{', '.join(files)} has no name {' or '.join(code.functions)}")


def _at_work(code: Code, paths: list[str], holdings: Holdings) -> CodeFinding:
    """Say what reading and watching show of files that are there."""
    trace = holdings.trace
    loaded = [path for path in paths if trace and path in trace.loaded]
    if trace and loaded:
        says = f"the service opened {_some(loaded)} during {trace.workload}"
        return CodeFinding(code, Reachability.LOADED, (Observation("E2", trace.digest, says),))
    there = f"the image has {_some(paths)}"
    imported = outside(code.module, holdings) if code.module else ["imports are read of modules only"]
    seen = () if imported else (Observation("E1", holdings.image, _not_imported(code.module, holdings)),)
    if trace is None or (against := _opened(paths, code.module, holdings)):
        return CodeFinding(code, Reachability.UNKNOWN, seen, (there, *imported, *(against if trace else [_UNWATCHED])))
    idle = Observation("E2", trace.digest, f"nobody opened {_some(paths)} during {trace.workload}")
    return CodeFinding(code, Reachability.OUTSIDE if seen else Reachability.IDLE, (*seen, idle), (there, *imported))


def outside(module: str, holdings: Holdings) -> list[str]:
    """Return what speaks against it that a module is outside of what the service imports."""
    if not holdings.closures:
        return ["nobody has read what the service imports"]
    below = f"{module}."
    found = []
    for platform, closure in sorted(holdings.closures.items()):
        within = [name for name in sorted(closure.needed) if name == module or name.startswith(below)]
        found += [f"the service imports {name} on {platform}" for name in within]
        late = [name for name in sorted(closure.left_out) if name == module or name.startswith(below)]
        found += [f"{closure.left_out[name]} imports {name}" for name in late]
    return [*found, *escapes(holdings)]


def opened(module: str, holdings: Holdings) -> list[str]:
    """Return what speaks against it that nobody opened a module."""
    return _opened(holdings.files_of(module), module, holdings)


def _opened(paths: Iterable[str], module: str, holdings: Holdings) -> list[str]:
    if holdings.trace is None:
        return [_UNWATCHED]
    found = [f"the service opened {path}" for path in paths if path in holdings.trace.loaded]
    found += [f"somebody opened {path} while the tests ran" for path in paths if path in holdings.trace.during_tests]
    known = holdings.trace.never_opened | holdings.trace.loaded | holdings.trace.during_tests
    found += [f"nobody watched {path}" for path in paths if path not in known]
    if module and any(module in each.inside for each in holdings.offered.values()):
        found.append(f"{module} is in the interpreter itself, and has no file that is opened")
    return found


def _not_imported(module: str, holdings: Holdings) -> str:
    needed = max(len(closure.needed) for closure in holdings.closures.values())
    return f"none of the {needed} modules that the service imports is {module}, and it imports nothing by name"


def _library(code: Code, callers: tuple[Caller, ...], holdings: Holdings) -> CodeFinding:
    """Say whether a library has a function, and whether anything calls it."""
    files = [path for path in holdings.libraries(code.library) if path in holdings.exports]
    if not holdings.libraries(code.library):
        return _absent(code, holdings)
    if not files:
        return CodeFinding(
            code, Reachability.UNKNOWN, against=(f"{code.library} is in the image, and is not a library",)
        )
    offered = {path: _fitting(holdings.exports[path], code.functions) for path in files}
    if not all(offered.values()):
        return _not_exported(code, files, holdings)
    known, against = _calls(code, callers, holdings)
    if against:
        return CodeFinding(code, Reachability.UNKNOWN, against=tuple(against))
    names = sorted({name for found in offered.values() for name in found or ()})
    says = f"none of the image's {len(holdings.imports)} ELF files imports {_some(names)} of {code.library}"
    if known:
        says += f", but for {'; '.join(known)}"
    if code.argument:
        says += f"; and none has one of {', '.join(code.argument)}"
    return CodeFinding(code, Reachability.UNCALLED, (Observation("E3", holdings.image, says),))


def _fitting(names: frozenset[str] | None, patterns: Iterable[str]) -> frozenset[str]:
    wanted = tuple(patterns)
    return frozenset(name for name in names or () if any(fnmatchcase(name, pattern) for pattern in wanted))


def _calls(code: Code, callers: tuple[Caller, ...], holdings: Holdings) -> tuple[list[str], list[str]]:
    """Return the calls that somebody has looked at, and what may call a function besides."""
    known, against = set(), [f"{path} lets Python code call any function" for path in holdings.foreign()]
    for path, symbols in sorted(holdings.imports.items()):
        if symbols is None:
            against.append(f"what {path} imports cannot be read")
        for symbol in sorted((_fitting(symbols, code.functions)) | ((symbols or frozenset()) & _FINDERS)):
            if caller := _caller(path, symbol, callers, holdings):
                known.add(f"{path}, which imports {symbol}: {caller.says} ({caller.source})")
            else:
                against.append(f"{path} imports {symbol}, and nobody has looked at how it calls that")
    for path, words in sorted(holdings.words.items()):
        against += [f"{path} has {text}" for text in sorted(words & frozenset(code.argument))]
    return sorted(known), against


def _caller(path: str, symbol: str, callers: Iterable[Caller], holdings: Holdings) -> Caller | None:
    """Return what is known of how a file calls a function; of every package that the file is of, on each platform."""
    owners = holdings.owners.get(path, ())
    return next(
        (
            each
            for each in callers
            if symbol in each.functions and owners and all(each.is_of(owner) for owner in owners)
        ),
        None,
    )


def _not_exported(code: Code, files: list[str], holdings: Holdings) -> CodeFinding:
    """Say that a library offers no such function, where Debian says the same of it, word for word.

    It may hold the code all the same, under no name or inlined, which is why a fact names what is exported; and a
    reading of exports counts only if it finds all that Debian's symbols file lists.
    """
    listed = [each.symbols.get(code.library, frozenset()) for each in holdings.offered.values()]
    agreed = all(
        names and not _fitting(names, code.functions) and names <= (holdings.exports[path] or frozenset())
        for names in listed
        for path in files
    )
    if not listed or not agreed or any(_fitting(holdings.exports[path], code.functions) for path in files):
        why = f"{code.library} exports none of {', '.join(code.functions)}, which says nothing of static code"
        return CodeFinding(code, Reachability.UNKNOWN, against=(why,))
    says = f"{', '.join(files)} exports none of {', '.join(code.functions)}, as Debian's symbols file says"
    return CodeFinding(code, Reachability.LACKING, (Observation("E3", holdings.image, says),))


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - _NAMED
    return ", ".join(every[:_NAMED]) + (f" and {more} more" if more > 0 else "")
