"""Read the import statements of a Python source, and under which circumstances each is carried out. Pure."""

import ast
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache


@dataclass(frozen=True)
class Import:
    """One name imported by a statement: a module, or an attribute of one.

    Args:
        guarded: it is tried, with `except ImportError` in case that it is not there.
        conditional: it stands under a condition that reading does not decide.
        lazy: it stands in a function.
        attribute: it may be something in a module and no module at all (`from a import b`).
        instead: the modules that are tried before it: it stands in the handler for their absence.
    """

    name: str
    line: int
    guarded: bool = False
    conditional: bool = False
    lazy: bool = False
    attribute: bool = False
    instead: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def imports(source: bytes, package: str) -> tuple[Import, ...]:
    """Return what a module's source imports; `package` is what relative imports start from.

    Raises:
        SyntaxError: the source is no Python (`ValueError` where it holds a null byte).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python thinks of somebody else's string escapes
        tree = ast.parse(source)
    return tuple(_statements(tree.body, _Place(package)))


@dataclass(frozen=True)
class _Place:
    """Where a statement stands; the fields are those of `Import`."""

    package: str
    guarded: bool = False
    conditional: bool = False
    lazy: bool = False
    instead: tuple[str, ...] = ()

    def found(self, name: str, line: int, *, attribute: bool = False) -> Import:
        return Import(name, line, self.guarded, self.conditional, self.lazy, attribute, self.instead)

    def under_guard(self) -> "_Place":
        return replace(self, guarded=True)

    def in_handler(self, tried: Iterable[Import]) -> "_Place":
        return replace(self, guarded=True, instead=tuple(each.name for each in tried if not each.attribute))

    def under_condition(self) -> "_Place":
        return replace(self, conditional=True)

    def in_function(self) -> "_Place":
        return replace(self, lazy=True)


def _statements(body: Iterable[ast.stmt], place: _Place) -> Iterator[Import]:
    """Walk a body in order, and take along under which conditions each statement runs."""
    for statement in body:
        match statement:
            case ast.Import(names=names):
                yield from (place.found(name.name, statement.lineno) for name in names)
            case ast.ImportFrom():
                yield from _from(statement, place)
            case ast.Try() | ast.TryStar():
                yield from _try(statement, place)
            case ast.If():
                yield from _if(statement, place)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _statements(statement.body, place.in_function())
            case ast.Match(cases=cases):
                yield from (found for case in cases for found in _statements(case.body, place.under_condition()))
            case ast.ClassDef() | ast.With() | ast.AsyncWith():
                yield from _statements(statement.body, place)
            case ast.For() | ast.AsyncFor() | ast.While():
                yield from _statements([*statement.body, *statement.orelse], place)


def _from(statement: ast.ImportFrom, place: _Place) -> Iterator[Import]:
    """Yield the module that is named, relative ones made absolute, and each name, which may be a module too."""
    base = statement.module or ""
    if statement.level:
        above = place.package.split(".")[: len(place.package.split(".")) - statement.level + 1]
        base = ".".join([*above, base] if base else above)
    if base:
        yield place.found(base, statement.lineno)
        for name in statement.names:
            if name.name != "*":
                yield place.found(f"{base}.{name.name}", statement.lineno, attribute=True)


def _try(statement: ast.Try | ast.TryStar, place: _Place) -> Iterator[Import]:
    """What is tried is guarded where its handlers catch a failed import, and they are taken only then."""
    caught = {
        node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        for handler in statement.handlers
        for node in (ast.walk(handler.type) if handler.type else [ast.Name("BaseException")])
    }
    guards = caught & {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
    tried = list(_statements(statement.body, place.under_guard() if guards else place))
    yield from tried
    for handler in statement.handlers:
        yield from _statements(handler.body, place.in_handler(tried) if guards else place)
    yield from _statements(statement.orelse, place.under_condition() if guards else place)  # if all was there
    yield from _statements(statement.finalbody, place)


def _if(statement: ast.If, place: _Place) -> Iterator[Import]:
    """Go into the branches that the test leaves possible; into both, as conditional, where nothing is known of it."""
    truth = _truth(statement.test)
    perhaps = place.under_condition() if truth is None else place
    if truth is not False:
        yield from _statements(statement.body, perhaps)
    if truth is not True:
        yield from _statements(statement.orelse, perhaps)


def _truth(test: ast.expr) -> bool | None:
    """Return what a condition is on Linux in a running program, or None when reading it does not tell."""
    match test:
        case ast.Constant(value=bool(value)):
            return value
        case ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return False
        case ast.UnaryOp(ast.Not(), operand):
            inner = _truth(operand)
            return None if inner is None else not inner
        case ast.BoolOp(operator, values):
            decisive = isinstance(operator, ast.Or)
            truths = [_truth(value) for value in values]
            return decisive if decisive in truths else None if None in truths else not decisive
        case ast.Compare(ast.Attribute(ast.Name(thing), attribute), [operator], [ast.Constant(str(value))]):
            return _compared(_LINUX.get(f"{thing}.{attribute}"), operator, value)
    return None


_LINUX = {"sys.platform": "linux", "os.name": "posix"}


def _compared(actual: str | None, operator: ast.cmpop, value: str) -> bool | None:
    if actual is None or not isinstance(operator, ast.Eq | ast.NotEq):
        return None
    return (actual == value) is isinstance(operator, ast.Eq)
