"""Give containers the registry and the signing services that whoever calls Dagger reaches, and the engine does not.

A container finds a service by the name that `pipeline.toml` or the signing configuration has for it, so that neither
says anything else than on a machine which reaches it by itself. The port is the service's own.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import dagger

from shipseal.errors import ConfigError, UsageError

Named = tuple[tuple[str, dagger.Service], ...]
"""Services, each with the name of its host."""

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_SERVICES = ("caUrls", "rekorTlogUrls", "tsaUrls")  # SigningConfig v0.2; a token is there already


async def named(
    configuration: Mapping[str, Any],
    project: dagger.Directory,
    registry: dagger.Service | None,
    signing: dagger.Service | None,
) -> Named:
    """Return the services that were given with the names by which a project asks for them.

    Args:
        configuration: the project's parsed `pipeline.toml`.
        project: its files.
        registry: stands behind the name of the registry in `image.repository`.
        signing: stands behind every name in the signing configuration: one door before several services, as a rule.

    Raises:
        UsageError: a service was given, and the project names none, or this machine by a name that a container has.
        ConfigError: the signing configuration cannot be read.
    """
    found = []
    if registry is not None:
        repository = str(configuration.get("image", {}).get("repository", ""))
        found.append((_host(f"//{repository}", "image.repository of pipeline.toml"), registry))
    if signing is not None:
        found += [(host, signing) for host in await _signing(configuration, project)]
    return tuple(found)


def bound(container: dagger.Container, services: Named) -> dagger.Container:
    """Return a container that reaches some services by their names."""
    for host, service in services:
        container = container.with_service_binding(host, service)
    return container


async def _signing(configuration: Mapping[str, Any], project: dagger.Directory) -> list[str]:
    """Return the names of the hosts in a project's signing configuration, each once."""
    path = str(configuration.get("sign", {}).get("signing-config", ""))
    if not path:
        raise UsageError(
            "a signing service was given, and pipeline.toml names none",
            remedy="name its file as [sign] signing-config, or leave --signing-service out: "
            "the public Sigstore is used",
        )
    try:
        document = json.loads(await project.file(path).contents())
        urls = [str(each["url"]) for key in _SERVICES for each in document.get(key) or ()]
    except (dagger.QueryError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not a valid signing configuration of Sigstore in the project",
            why=f"{type(error).__name__}: {error}",
            remedy="correct sign.signing-config, or the file",
        ) from error
    return sorted({_host(url, path) for url in urls})


def _host(address: str, where: str) -> str:
    """Return the name of the host in an address; raise `UsageError` for one that no container can be given."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = ""
    if not _HOST.fullmatch(host) or "." not in host or host.endswith(".localhost") or not re.search("[a-z]", host):
        raise UsageError(
            f"{where} has no name that a container can be given a service by",
            why=f"its host is {host[:80]!r}",
            remedy="name the host there as a domain name, as the registry's certificate has it; localhost and addresses"
            " are the container's own",
        )
    return host
