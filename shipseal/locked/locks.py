"""Read the locks of Python packages (as pip-compile and uv write them) and of the tools that are built from source.

A lock says what comes from outside, to the byte, and nothing of where it comes from. What it cannot say is refused
with the file and the line. The lock of Debian packages is read by `debian`. Pure.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as ParsedRequirement
from packaging.utils import canonicalize_name

from shipseal import grammar
from shipseal.digest import Digest
from shipseal.errors import ConfigError, ToolFailed

_COMMENT = re.compile(r"(^|\s)#.*$")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_TOOL_FORMS = {"version": grammar.GO_VERSION, "package": grammar.GO_PACKAGE, "ldflags": grammar.LINKER_FLAGS}
_TOOL_KEYS = {"version": str, "package": str, "ldflags": str, "sha256": dict}


@dataclass(frozen=True)
class Requirement:
    """One Python package: its canonical name, its version, and the sha256 of every file that may stand for it."""

    name: str
    version: str
    marker: Marker | None
    hashes: frozenset[Digest]
    where: str

    def __str__(self) -> str:
        """Return `name version`, as messages say it."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class LockedTool:
    """One tool: the Go package that it is built from, how it is linked, and the sha256 of the result per platform."""

    name: str
    version: str
    package: str
    ldflags: str
    digests: Mapping[str, Digest]

    def digest(self, platform: str) -> Digest:
        """Return the sha256 for a platform; raise `ToolFailed` when none is recorded."""
        if platform not in self.digests:
            raise ToolFailed(
                f"{self.name} {self.version} has no recorded sha256 for {platform}",
                why=f"recorded: {', '.join(sorted(self.digests)) or 'none'}",
                remedy="run this on one of those platforms, or under Dagger",
            )
        return self.digests[platform]


def platform_name(system: str, machine: str) -> str:
    """Return `OS/ARCHITECTURE` as OCI names it, from what `sys.platform` and `platform.machine()` say."""
    return f"{system}/{_MACHINES.get(machine.lower(), machine.lower())}"


def requirements(text: str, source: str) -> tuple[Requirement, ...]:
    """Read a hash-locked requirements file (pip documentation, "Secure installs").

    Args:
        text: its content.
        source: its name, for messages.

    Raises:
        ConfigError: a line is anything else than `name==version [; marker] --hash=sha256:…`.
    """
    return tuple(_requirement(line, f"{source}:{number}") for number, line in _logical_lines(text))


def applying(locked: Iterable[Requirement], environment: Mapping[str, str]) -> tuple[Requirement, ...]:
    """Return the requirements whose markers hold in an environment (PEP 508); raise `ConfigError` for a name twice."""
    chosen: dict[str, Requirement] = {}
    for requirement in locked:
        if _holds(requirement, environment):
            if requirement.name in chosen:
                _refuse(requirement.where, f"{requirement.name} is locked twice", chosen[requirement.name].where)
            chosen[requirement.name] = requirement
    return tuple(chosen.values())


def _holds(requirement: Requirement, environment: Mapping[str, str]) -> bool:
    try:
        return requirement.marker is None or requirement.marker.evaluate(dict(environment))
    except (KeyError, ValueError) as failure:  # packaging: UndefinedEnvironmentName, UndefinedComparison
        _refuse(requirement.where, f"the marker of {requirement.name} compares what cannot be compared", str(failure))


def tools(text: str, source: str) -> dict[str, LockedTool]:
    """Read `tools/tools.lock.toml`; raise `ConfigError` when it is empty or an entry is not as it must be."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as failure:
        _refuse(source, "not TOML", str(failure))
    if not document:
        _refuse(source, "the lock names no tools")
    lines = {line.strip().strip("[]"): number for number, line in enumerate(text.splitlines(), 1)}
    return {name: _tool(name, entry, f"{source}:{lines.get(name, 1)}") for name, entry in document.items()}


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines; yield each with the number of its first line, comments and blank lines left out."""
    start, joined = 0, ""
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        line = _COMMENT.sub("", raw).strip()
        start = start or number
        joined += line.removesuffix("\\") + " "
        if not line.endswith("\\"):
            if joined.strip():
                yield start, joined.strip()
            start, joined = 0, ""


def require_names(text: str, source: str) -> None:
    """Refuse requirements that say more than names, versions, markers and hashes: options, addresses, directories.

    Raises:
        ConfigError: a line says more, or is no requirement (PEP 508).
    """
    for number, line in _logical_lines(text):
        parsed, options = _parsed(line, where := f"{source}:{number}")
        if parsed.url or not all(option.startswith("--hash=") for option in options):
            _refuse(where, f"{parsed.name} is asked for by more than its name and version", line[:100])


def _parsed(line: str, where: str) -> tuple[ParsedRequirement, list[str]]:
    text, *options = re.split(r"\s+(?=--)", line)
    try:
        return ParsedRequirement(text), options
    except (InvalidRequirement, RecursionError) as failure:
        _refuse(where, f"not a locked requirement: {text[:100]}", str(failure).splitlines()[0])


def _requirement(line: str, where: str) -> Requirement:
    parsed, options = _parsed(line, where)
    text = line[:100]
    pins = list(parsed.specifier)
    if parsed.url or len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith("*"):
        _refuse(where, f"{parsed.name} is not locked to one version", text)
    hashes = frozenset(_sha256(option.removeprefix("--hash=sha256:"), where) for option in options)
    if not hashes:
        _refuse(where, f"{parsed.name} {pins[0].version} has no --hash=sha256:…")
    if not grammar.PYTHON_PACKAGE.fits(parsed.name) or not grammar.PYTHON_VERSION.fits(pins[0].version):
        _refuse(where, f"not a name and a version of a Python package: {text}")
    return Requirement(canonicalize_name(parsed.name), pins[0].version, parsed.marker, hashes, where)


def _tool(name: str, entry: Any, where: str) -> LockedTool:
    if not isinstance(entry, dict):
        _refuse(where, f"{name} is not a table")
    for key in sorted({*_TOOL_KEYS, *entry}):
        if key not in _TOOL_KEYS:
            _refuse(where, f"{name} has a key that no tool has: {key}", f"the keys are {', '.join(_TOOL_KEYS)}")
        if not isinstance(entry.get(key), _TOOL_KEYS[key]):
            _refuse(where, f"{name} has no {key}, or one of another type than {_TOOL_KEYS[key].__name__}")
    try:
        for key, form in _TOOL_FORMS.items():
            form.check(entry[key], f"{name}.{key}")
        grammar.TOOL.check(name, "the tool")
        platforms = {grammar.PLATFORM.check(each, f"{name}.sha256"): value for each, value in entry["sha256"].items()}
    except ValueError as failure:
        _refuse(where, str(failure))
    digests = {platform: _sha256(value, where) for platform, value in platforms.items()}
    return LockedTool(name, entry["version"], entry["package"], entry["ldflags"], digests)


def _sha256(value: Any, where: str) -> Digest:
    if not isinstance(value, str) or not grammar.SHA256.fits(value):
        _refuse(where, f"not a sha256: {str(value)[:100]}")
    return Digest("sha256", value)


def _refuse(where: str, what: str, why: str = "") -> NoReturn:
    raise ConfigError(f"{where}: {what}", why=why, remedy="make the lock again with `shipseal update-locks`")
