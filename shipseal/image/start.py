"""Say how the image starts the service: its entry point, and the modules that it begins with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shipseal.errors import ConfigError
from shipseal.project.config import Service
from shipseal.runtime import BOOKWORM, Runtime

# Isolated from the environment and the working directory, and never writing byte code.
FLAGS = ("-I", "-B")
SERVER = "serve_callable"
_OBJECT = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.]*(\(.*\))?")

_SERVERS = {
    "uvicorn": "--host 0.0.0.0 --port {port} {callable}",
    "granian": "--interface asgi --host 0.0.0.0 --port {port} {callable}",
    # Its workers tell by a file that they live; the image's own file system may be read-only.
    "gunicorn": "--bind 0.0.0.0:{port} --worker-tmp-dir /dev/shm {callable}",
}
"""What starts a callable that Waitress does not: a container's only network is the one that it serves."""


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


def start(service: Service, modules: Mapping[str, object], runtime: Runtime = BOOKWORM) -> Start:
    """Return how a service starts; `modules` are the names that can be imported in the image.

    Raises:
        ConfigError: the command is not one that starts with a Python module.
    """
    if service.callable and service.server != "waitress":
        return _of_command(_served(service), modules, runtime)
    if service.callable:
        source = Path(__file__).with_name("callable_server.py")  # not imported: it runs in the image, on its Waitress
        command = ("-m", SERVER, service.callable, str(service.port))
        seeds = ("runpy", SERVER, service.callable.partition(":")[0])
        return Start((f"/{runtime.interpreter}", *FLAGS, *command), seeds, {f"{runtime.site}/{SERVER}.py": source})
    return _of_command(service.command, modules, runtime)


def _served(service: Service) -> tuple[str, ...]:
    words = _SERVERS[service.server].format(callable=service.callable, port=service.port).split()
    return ("-m", service.server, *words)


def _of_command(command: tuple[str, ...], modules: Mapping[str, object], runtime: Runtime) -> Start:
    if len(command) < 2 or command[0] != "-m":
        raise ConfigError(
            f"the image cannot start {' '.join(command)}",
            why="it has a Python interpreter and no other program",
            remedy='give service.command as ["-m", "package"] with its arguments, or service.callable',
        )
    module = command[1]
    main = (f"{module}.__main__",) if f"{module}.__main__" in modules else ()
    named = (match[1] for argument in command[2:] if (match := _OBJECT.fullmatch(argument)))
    seeds = ("runpy", module, *main, *(name for name in named if name in modules))
    return Start((f"/{runtime.interpreter}", *FLAGS, *command), seeds, {})
