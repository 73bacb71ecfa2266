"""Say what pipeline.toml lacks, where a start of the service shows it. Pure."""

import json
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from shipseal.documents.smoke import SmokeAnswer
from shipseal.errors import SubjectFailed

_READ_ONLY = re.compile(r"\[Errno 30\] [^:]*: '(/[A-Za-z0-9._/-]+)'$")
# What tempfile says where none of the places is one that it can write: the first is everybody's.
_NO_SCRATCH = re.compile(r"^FileNotFoundError: \[Errno 2\] No usable temporary directory found in \['(/tmp)'")
_MAKES_DIRECTORY = re.compile(r", in (makedirs|mkdir)$")
_NO_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([A-Za-z_][A-Za-z0-9_.]*)'$")
_NO_NAME = re.compile(r"^ImportError: cannot import name '([A-Za-z_][A-Za-z0-9_]*)' from '([A-Za-z_][A-Za-z0-9_.]*)'")
# Cython's own words: the name, and in the line before the module that was being made.
_COMPILED_NO_NAME = re.compile(r"^ImportError: cannot import name ([A-Za-z_][A-Za-z0-9_]*)$")
_COMPILED = re.compile(r", in init ([A-Za-z_][A-Za-z0-9_.]*)\.[A-Za-z0-9_]+$")
_PATH = re.compile(r"[!-~]*")
_IN = re.compile(r", in \S+$")
_NEAR = 4  # lines: the last frame of a traceback, with its source and marks below it, stands right before the error
_SHOWN = 12  # lines of a service's output that people see
_OF_THE_SYSTEM = ("/dev", "/proc", "/sys", "/usr", "/lib", "/etc")


class Advised(SubjectFailed):
    """The service fails for want of something that is known: directories to write, modules, another health path.

    `refused` says that it did answer, with an error.
    """

    writable: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    health: str = ""
    refused: bool = False


def ended(what: str, said: Sequence[str], remedy: str) -> SubjectFailed:
    """Return the failure of a service that ended by itself, with the directories that it wanted to write."""
    directories, modules = written_to(said), looked_for(said)
    if modules:
        remedy = f'write [image] modules = ["{modules[-1]}"], which no statement shows; or lock what has it'
    if directories:
        listed = ", ".join(f'"{each}"' for each in directories)
        remedy = (
            f"write [smoke] writable = [{listed}], if it has a volume there where it runs; or have it write nothing"
        )
    failure = Advised(what, why=said[-_SHOWN:], remedy=remedy)
    failure.writable, failure.modules = directories, modules[-1:]
    return failure


def unanswered(failed: Sequence[SmokeAnswer], asked: int, said: Sequence[str], elsewhere: str) -> SubjectFailed:
    """Return the failure of a service whose answers are wrong; `elsewhere` is where its health path leads."""
    broken = any(each.status >= 500 or not each.status for each in failed)  # it knows why
    remedy = "see smoke/log.txt for what the service said; a module that is missing goes into image.modules"
    if elsewhere:
        remedy = f"write [service] health = {json.dumps(elsewhere)}, where that leads, or another path that is a 200"
    failure = Advised(
        f"the image does not answer as it should: {len(failed)} of {asked} requests failed",
        why=[
            *(f"{each.method} {each.path}: {wrong}" for each in failed for wrong in each.wrong),
            *(said[-_SHOWN:] if broken else ()),
        ],
        remedy=remedy,
    )
    failure.health = elsewhere
    failure.refused = bool(failed) and failed[0].status >= 400
    failure.writable = written_to(said) if broken else ()
    return failure


def written_to(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the directories without which a program failed, by its last words: what it says of EROFS (errno(3)).

    What was to become a directory is one; what was to become a file needs the one that it lies in. Who looks for a
    place for files of the moment finds none in an image, where /tmp is no more to be written than the rest.
    """
    directories = []
    for number, line in enumerate(lines):
        if match := _READ_ONLY.search(line.rstrip()):
            frames = [each.rstrip() for each in lines[max(0, number - _NEAR) : number] if _IN.search(each.rstrip())]
            makes = bool(frames and _MAKES_DIRECTORY.search(frames[-1]))
            path = PurePosixPath(match[1])
            directories.append(str(path if makes else path.parent))
    directories += [match[1] for line in lines if (match := _NO_SCRATCH.search(line.rstrip()))]
    return tuple(
        dict.fromkeys(
            each for each in directories if each != "/" and ".." not in each and not each.startswith(_OF_THE_SYSTEM)
        )
    )


def looked_for(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the modules without which a program failed, by its last words; a name of a package may be one of them."""
    found, package = [], ""
    for each in (line.rstrip() for line in lines):
        if match := _NO_MODULE.search(each):
            found.append(match[1])
        elif match := _NO_NAME.search(each):
            found.append(f"{match[2]}.{match[1]}")
        elif match := _COMPILED.search(each):
            package = match[1]
        elif package and (match := _COMPILED_NO_NAME.search(each)):
            found.append(f"{package}.{match[1]}")
    return tuple(dict.fromkeys(found))


def elsewhere(answer: bytes) -> str:
    """Return the path that an answer redirects to, where it is one of the same service; nothing otherwise."""
    head, _, _ = answer.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    if not re.match(r"HTTP/1\.\d 30[12378]\b", status):
        return ""
    for name, _, value in (field.partition(":") for field in fields):
        if name.strip().lower() == "location":
            path = re.sub(r"^https?://(localhost|127\.0\.0\.1)(:\d+)?(?=/)", "", value.strip())
            return path if path.startswith("/") and not path.startswith("//") and _PATH.fullmatch(path) else ""
    return ""
