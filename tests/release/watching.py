"""Write down every program that a command starts, and those that they start: its arguments, and its environment."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Arguments and environments in full, as hexadecimal: then no text in them can look like the end of one. The filter
# stops a process where it starts a program, and nowhere else.
_TRACE = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=execve,execveat", "-e", "signal=none")
_IN_FULL = ("-v", "-xx", "-s", "1000000")
_STARTED = re.compile(r'execve\("[^"]*", (\[[^]]*\]), (\[[^]]*\])|execveat\(.*?, "[^"]*", (\[[^]]*\]), (\[[^]]*\])')
_CALL = re.compile(r"(\d+) +execve")
# A process that was killed just as it asked: its memory was gone when strace looked, and its program has never run.
_KILLED = re.compile(
    r"(\d+) +execve(?:at)?\((?:0x[0-9a-f]+|AT_FDCWD)(?:, (?:0x[0-9a-f]+|NULL|0))* <(?:unfinished|detached) \.\.\.>$"
)
_RESUMED = re.compile(r"(\d+) +<\.\.\. execve(?:at)? resumed>.*= 0$")
_STRING = re.compile(r'"([^"]*)"')


@dataclass(frozen=True)
class Seen:
    """The programs that were started: the command line of each, with the environments that it had."""

    programs: dict[str, set[str]] = field(default_factory=dict)

    def holding(self, secret: str) -> set[str]:
        """Return the command lines of those that had a secret in their environment."""
        return {line for line, environments in self.programs.items() if any(secret in each for each in environments)}


def tracing(log: Path) -> tuple[str, ...]:
    """Return what to put in front of a command, so that strace writes what it starts to a file."""
    assert shutil.which("strace"), "strace is not installed: type `sudo apt-get install strace`"
    return (*_TRACE, *_IN_FULL, "-o", str(log))


def seen(log: Path) -> Seen:
    """Read what strace has written."""
    found = Seen()
    for arguments, environment in _started(log):
        found.programs.setdefault(arguments, set()).add(environment)
    return found


def files_with(secret: str, *directories: Path) -> list[Path]:
    """Return the files below some directories that hold a secret."""
    files = (path for directory in directories for path in directory.rglob("*") if path.is_file())
    return [path for path in files if secret.encode() in path.read_bytes()]


def _started(log: Path) -> Iterator[tuple[str, str]]:
    never: set[str] = set()
    with log.open() as lines:
        for line in lines:
            if killed := _KILLED.match(line):
                never.add(killed[1])
            elif resumed := _RESUMED.match(line):
                assert resumed[1] not in never, f"a program was started that strace could not see: {line[:200]}"
            elif call := _CALL.match(line):  # others are the ends of calls that were begun before, and of processes
                never.discard(call[1])
                match = _STARTED.search(line)
                assert match, line[:200]
                arguments, environment = filter(None, match.groups())
                yield _text(arguments), _text(environment)


def _text(array: str) -> str:
    strings = (bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(array))
    return b" ".join(strings).decode("utf-8", "replace")
