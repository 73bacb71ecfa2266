"""Say what child processes see of this machine: little, the same everywhere, and by name."""

import os
import shutil

# What a stage with a network sees besides: how this machine reaches the outside.
_NETWORK = (
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GOPROXY",
    "GOSUMDB",
    "APT_CONFIG",
)
# What one program alone sees besides: how its user has set it up (docker(1), "Environment variables").
_OF_PROGRAM = {"docker": ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")}
_NETWORK_PREFIXES = ("PIP_", "UV_")


def search_path() -> str:
    """Return where programs are looked for: never in the directory that one stands in, which may be a project's."""
    named = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(directory for directory in named if directory.startswith("/"))


def find(program: str) -> str | None:
    """Return where a program of this machine is, or None."""
    return shutil.which(program, path=search_path())


def base_environment() -> dict[str, str]:
    """Return what every child sees: where programs are, a home, and one locale and time zone for all machines."""
    return {
        "PATH": search_path(),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def program_environment(name: str) -> dict[str, str]:
    """Return the settings of this machine that one program sees, and no other."""
    return {each: os.environ[each] for each in _OF_PROGRAM.get(name, ()) if each in os.environ}


def network_environment() -> dict[str, str]:
    """Return the settings by which this machine reaches the outside, for the stages that have a network."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _NETWORK or name.startswith(_NETWORK_PREFIXES)
    }
