"""Find what a web service is called by: the WSGI or ASGI application in its modules, and a path that it answers. Pure.

It is read from the syntax alone: nothing of a project is imported, for `init` may be the first to look at it.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

WSGI = {"Flask", "Bottle", "get_wsgi_application", "WSGIApplication", "Pyramid", "App", "API", "TurboGears", "CherryPy"}
ASGI = {"FastAPI", "Starlette", "Quart", "Litestar", "BlackSheep", "get_asgi_application", "Robyn", "Esmerald"}
_FACTORIES = {"create_app", "make_app", "build_app", "get_app", "create_application", "make_wsgi_app"}
_NAMES = ("application", "app", "wsgi", "asgi", "api")
_MODULES = ("wsgi", "asgi", "app", "main", "web", "server", "__init__")
_HEALTH = (
    "health",
    "healthz",
    "alive",
    "livez",
    "live",
    "ready",
    "readyz",
    "ping",
    "status",
    "heartbeat",
    "_health",
    "healthcheck",
    "health-check",
)
_PLAIN = re.compile(r"/[A-Za-z0-9_~/-]*")
_MOST = 4  # starts of a service that are worth it
_TABLES = {"path", "Route", "add_url_rule", "add_route"}
_ROUTES = {"route", "get", "api_route", "add_url_rule", "path", "Route", "re_path", "add_route", "head"}


@dataclass(frozen=True)
class Callable:
    """An application: `MODULE:NAME`, and whether it is one of ASGI."""

    name: str
    asgi: bool
    because: str


def callables(modules: Mapping[str, str]) -> list[Callable]:
    """Return what looks like an application, the likeliest first.

    Args:
        modules: the source of each module, by its dotted name.
    """
    trees = dict(_parsed(modules))
    makers = {name: kind for tree in trees.values() for name, kind in _factories(tree)}
    found = [
        Callable(f"{module}:{name}", asgi, because)
        for module, tree in trees.items()
        for name, asgi, because in _assigned(tree, makers)
    ]
    found += [
        Callable(f"{module}:{node.name}", asgi, f"def {node.name}({', '.join(names)})")
        for module, tree in trees.items()
        for node, names, asgi in _functions(tree)
    ]
    return sorted(found, key=_rank)


def _rank(each: Callable) -> tuple[int, int, int, str]:
    module, _, name = each.name.partition(":")
    last = module.rpartition(".")[2]
    return (
        _MODULES.index(last) if last in _MODULES else len(_MODULES),
        _NAMES.index(name) if name in _NAMES else len(_NAMES),
        module.count("."),
        each.name,
    )


def health(modules: Mapping[str, str]) -> tuple[str, str]:
    """Return a path that the service probably answers with 200, and why that is thought."""
    paths = [path for _, tree in _parsed(modules) for path in _paths(tree)]
    for wanted in _HEALTH:
        for path in paths:
            if path.strip("/").rpartition("/")[2] == wanted:
                return f"/{path.lstrip('/')}", "a route of the service"
    return "/", "no route is called health or the like: the front page has to do"


def others(modules: Mapping[str, str]) -> tuple[str, ...]:
    """Return the plain routes of a service, the front page first: one of them may answer where its health path fails.

    Decorators of functions count, and entries of a table of routes, but no prefix under which others are put together
    (Django's `include`): many a `get` of a string is none of a route.
    """
    paths = [f"/{path.lstrip('/')}" for _, tree in _parsed(modules) for path in _routed(tree)]
    plain = [path for path in paths if _PLAIN.fullmatch(path) and path != "/"]
    return tuple(dict.fromkeys(["/", *plain]))[:_MOST]


def _parsed(modules: Mapping[str, str]) -> Iterator[tuple[str, ast.Module]]:
    for name, source in modules.items():
        try:
            yield name, ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # `build` and `test` say what is wrong with it


def _called(node: ast.expr) -> str:
    """Return the last part of what is called: `Flask` of `flask.Flask(...)`."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _factories(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Yield functions that make an application and return it, and whether it is one of ASGI."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            made = {_called(each) for each in ast.walk(node) if isinstance(each, ast.Call)}
            if made & (WSGI | ASGI):
                yield node.name, bool(made & ASGI)


def _assigned(tree: ast.Module, makers: Mapping[str, bool]) -> Iterator[tuple[str, bool, str]]:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = getattr(node, "value", None)
        if not targets or not isinstance(value, ast.expr) or not isinstance(targets[0], ast.Name):
            continue
        called = _called(value)
        if called in WSGI | ASGI or called in makers or called in _FACTORIES:
            yield targets[0].id, called in ASGI or makers.get(called, False), f"{targets[0].id} = {called}(…)"


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, list[str], bool]]:
    """Yield functions that are applications themselves, by what they take (PEP 3333; ASGI, "Applications")."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [each.arg for each in node.args.args]
            if names == ["scope", "receive", "send"] and isinstance(node, ast.AsyncFunctionDef):
                yield node, names, True
            elif names in (["environ", "start_response"], ["env", "start_response"]):
                yield node, names, False


def _paths(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in _ROUTES and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and not set(first.value) & set("<{("):
                yield first.value


def _routed(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found = [each for each in node.decorator_list if _called(each) in _ROUTES]
        else:
            found = [node] if isinstance(node, ast.Call) and _called(node) in _TABLES else []
        for call in found:
            match call:
                case ast.Call(args=[ast.Constant(value=str(path)), *rest]) if "include" not in map(_called, rest):
                    yield path
