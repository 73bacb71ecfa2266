"""Say how the image starts the service: its entry point, and the modules that it begins with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.image.tree import PYTHON, SITE
from pipeline.project.config import Service

# Isolated from the environment and the working directory, and never writing byte code.
FLAGS = ("-I", "-B")
SERVER = "serve_callable"
_OBJECT = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.]*(\(.*\))?")


@dataclass(frozen=True)
class Start:
    """How the service starts.

    Args:
        entrypoint: the command of the image.
        seeds: names of the modules that it imports first, and of those that its arguments name.
        generated: sources that the service's layer gets besides its wheel, by path.
    """

    entrypoint: tuple[str, ...]
    seeds: tuple[str, ...]
    generated: Mapping[str, Path]


def start(service: Service, modules: Mapping[str, object]) -> Start:
    """Return how a service starts; `modules` are the names that can be imported in the image.

    Raises:
        ConfigError: the command is not one that starts with a Python module.
    """
    if service.callable:
        source = Path(__file__).with_name("callable_server.py")  # not imported: it runs in the image, on its Waitress
        command = ("-m", SERVER, service.callable, str(service.port))
        seeds = ("runpy", SERVER, service.callable.partition(":")[0])
        return Start((f"/{PYTHON}", *FLAGS, *command), seeds, {f"{SITE}/{SERVER}.py": source})
    if len(service.command) < 2 or service.command[0] != "-m":
        raise ConfigError(
            f"the image cannot start {' '.join(service.command)}",
            why="it has a Python interpreter and no other program",
            do='give service.command as ["-m", "package"] with its arguments, or service.callable',
        )
    module = service.command[1]
    main = (f"{module}.__main__",) if f"{module}.__main__" in modules else ()
    named = (match[1] for argument in service.command[2:] if (match := _OBJECT.fullmatch(argument)))
    seeds = ("runpy", module, *main, *(name for name in named if name in modules))
    return Start((f"/{PYTHON}", *FLAGS, *service.command), seeds, {})
