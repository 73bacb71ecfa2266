"""Read what projects of setuptools declare in setup.cfg, and in plain values of setup.py. Pure.

Neither is run: of setup.py counts what its call of `setup` says in so many words. Sources: setuptools' documentation,
"Configuring setuptools using setup.cfg files" and "Keywords".
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as NoConfiguration
from typing import Any

from shipseal.scaffold.lines import lines

_KEYS = ("name", "install_requires", "extras_require", "entry_points", "python_requires", "setup_requires")


def declared(files: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return what a project declares there, under the names of `[project]`, and the file that says what it needs.

    `build-requires` is what its backend needs besides.

    Args:
        files: what lies in the project, by name.

    Raises:
        ValueError: one of them is none; or setup.py puts together what it needs, so that only a run of it would tell.
    """
    found, where = _project(_of_script(files.get("setup.py", ""))), "setup.py"
    if "setup.cfg" in files:
        configured = _project(_of_configuration(files["setup.cfg"], files))
        where = "setup.cfg" if "dependencies" in configured else where
        found |= configured
    if found.get("dependencies") is ... and "requirements.txt" in files:  # which is what it reads, mostly
        return {**found, "dependencies": list(lines(files["requirements.txt"]))}, "requirements.txt, for"
    if found.get("dependencies") is ...:
        raise ValueError(
            "setup.py puts install_requires together, and it is not run to see: write [project] with name, version and "
            "dependencies"
        )
    return found, where


def _of_configuration(text: str, files: Mapping[str, str]) -> dict[str, Any]:
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except NoConfiguration as error:
        raise ValueError(f"setup.cfg: {error.message}") from error
    sections = {name: {key.replace("-", "_"): value for key, value in parser.items(name)} for name in parser.sections()}
    options = sections.get("options", {})
    wanted: dict[str, Any] = {
        "name": sections.get("metadata", {}).get("name"),
        "python_requires": options.get("python_requires"),
        **{key: list(_listed(options[key], files)) for key in ("install_requires", "setup_requires") if key in options},
    }
    extras = dict(parser["options.extras_require"]) if parser.has_section("options.extras_require") else {}
    wanted["extras_require"] = {key: list(_listed(value, files)) for key, value in extras.items()}
    scripts = sections.get("options.entry_points", {}).get("console_scripts", "")
    wanted["entry_points"] = {"console_scripts": list(_listed(scripts, files))} if scripts else {}
    return {key: value for key, value in wanted.items() if value}


def _listed(text: str, files: Mapping[str, str]) -> Iterator[str]:
    """Yield the entries of a list: of lines, else between semicolons (of requirements, commas are part)."""
    if text.strip().startswith("file:"):
        for name in text.strip().removeprefix("file:").split(","):
            yield from lines(files.get(name.strip(), ""))
    else:
        yield from lines(text if "\n" in text else text.replace(";", "\n"))


def _of_script(source: str) -> dict[str, Any]:
    """Return the keywords of the call of `setup`; one that is no plain value is an ellipsis."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"setup.py: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"setup", "setuptools.setup"}:
            return {each.arg: _plain(each.value) for each in node.keywords if each.arg in _KEYS}
    return {}


def _plain(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return ...


def _project(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return setuptools' keywords under the names of `[project]`."""
    extras = keywords.get("extras_require")
    extras = extras if isinstance(extras, dict) else {}
    needed = keywords.get("install_requires")
    named = {
        "name": keywords.get("name"),
        "requires-python": keywords.get("python_requires"),
        "dependencies": needed if needed in (..., None) else [*_texts(needed), *_conditional(extras, "")],
        "optional-dependencies": {
            name: [*_texts(extras.get(name, [])), *_conditional(extras, name)]
            for name in dict.fromkeys(key.partition(":")[0] for key in extras)
            if name
        },
        "scripts": dict(_scripts(keywords.get("entry_points"))),
        "build-requires": list(_texts(keywords.get("setup_requires", []))),
    }
    computed = {key for key, value in named.items() if value is ... and key != "dependencies"}
    return {key: value for key, value in named.items() if value not in (None, {}, "") and key not in computed}


def _texts(value: object) -> Iterable[str]:
    """Return requirements, which may be one text of several lines."""
    if isinstance(value, str):
        return list(lines(value))
    return list(map(str, value)) if isinstance(value, list | tuple) else []


def _conditional(extras: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield what is needed where a marker holds: `extras_require` has it under `NAME:MARKER`."""
    for key, value in extras.items():
        extra, colon, marker = str(key).partition(":")
        if colon and extra == name:
            yield from (f"{each} ; {marker}" for each in _texts(value))


def _scripts(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        parser = ConfigParser(interpolation=None, strict=False, delimiters=("=",))
        try:
            parser.read_string("\n".join(map(str.strip, value.splitlines())))
        except NoConfiguration:
            return
        value = {name: [f"{key} = {target}" for key, target in parser.items(name)] for name in parser.sections()}
    for each in _texts(value.get("console_scripts", [])) if isinstance(value, dict) else ():
        name, _, target = each.partition("=")
        yield name.strip(), target.strip()
