"""Look at what is around a project: its configuration, the programs that may start its image, and a release's needs.

Nothing is written, fetched or kept, and no credential is read out. What only a release needs, or one of several ways of
running `smoke`, is missing without harm.
"""

import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from shipseal.distribution.credentials import CONTENT, has_default_helper, hosts, read
from shipseal.doctor.host import CheckResult, CheckState
from shipseal.errors import ConfigError, ShipsealError, ToolFailed, UsageError
from shipseal.project.config import Config
from shipseal.scanning.grype import Grype, Identity
from shipseal.times import read_time
from shipseal.tools.environment import find, network_environment
from shipseal.tools.toolbox import Toolbox


async def programs(tools: Toolbox, root: Path) -> Iterator[CheckResult]:
    """Look for the commit, and ask bubblewrap and Docker whether they can start anything here."""
    return iter([_git(root), await _bubblewrap(tools), _docker()])


def _git(root: Path) -> CheckResult:
    """Look for the commit as `facts` does, which needs no git on the machine."""
    from dulwich.errors import NotGitRepository  # noqa: PLC0415 - it is slow, and `doctor` alone looks here
    from dulwich.repo import Repo  # noqa: PLC0415 - as above

    try:
        with Repo.discover(str(root)) as repository:
            return CheckResult("git", CheckState.THERE, f"commit {repository.head().decode()[:12]}")
    except (NotGitRepository, KeyError, OSError, ValueError):
        return CheckResult(
            "git", CheckState.MISSING, f"{root} has no commit", "provenance names one: run `git init`, and commit"
        )


async def _bubblewrap(tools: Toolbox) -> CheckResult:
    try:
        await tools.run("bwrap", "--ro-bind", "/", "/", "--unshare-all", "true", timeout=10)
    except ToolFailed as error:
        what = f"{error.what}; smoke tries the locked one, then weaker isolation, and says so"
        return CheckResult("bubblewrap", CheckState.OPTIONAL, what, "install bubblewrap, and allow user namespaces")
    return CheckResult("bubblewrap", CheckState.THERE, "can start the image without Docker")


def _docker() -> CheckResult:
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not find("docker"):
        return CheckResult(
            "docker", CheckState.OPTIONAL, "not installed: smoke uses bubblewrap", "install docker.io, if you like"
        )
    try:
        if address.startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(address.removeprefix("unix://"))
    except OSError as error:
        what = f"no daemon answers at {address} ({error.strerror or error}): smoke uses bubblewrap"
        return CheckResult("docker", CheckState.OPTIONAL, what, "start dockerd, or join the group docker")
    return CheckResult("docker", CheckState.THERE, f"a daemon listens at {address}")


# Docker Hub's registry is not at the address by which its images are named.
_ANSWERING = {"docker.io": "registry-1.docker.io"}


def network(config: Config) -> Iterator[CheckResult]:
    """See whether the registry of a release can be reached; a dry run needs no network."""
    settings = ", ".join(sorted(network_environment())) or "no proxy or mirror set"
    host, _, port = config.image.repository.partition("/")[0].partition(":")
    host = _ANSWERING.get(host, host)
    try:
        with socket.create_connection((host, int(port or 443)), timeout=3):
            yield CheckResult("network", CheckState.THERE, f"{host} answers; {settings}")
    except OSError as error:
        what = f"{host} cannot be reached ({error.strerror or error}); {settings}; only a release needs it"
        yield CheckResult("network", CheckState.OPTIONAL, what, "set HTTPS_PROXY if this machine has one")


def database(config: Config, now: datetime) -> Iterator[CheckResult]:
    """Say which vulnerability database would judge."""
    directory = config.scan.database
    if directory is None:
        what = "none configured: a dry run uses the SAMPLE, and a release refuses"
        yield CheckResult(
            "database", CheckState.OPTIONAL, what, "`db update` or `db import FILE`, then [scan] database"
        )
        return
    try:
        identity = Identity.read(directory)
    except ConfigError as error:
        yield CheckResult("database", CheckState.MISSING, error.what, error.remedy)
        return
    state = CheckState.OPTIONAL if identity.sample or read_time(identity.built) > now else CheckState.THERE
    remedy = "" if state is CheckState.THERE else "a release refuses it: `db update` or `db import FILE`"
    yield CheckResult("database", state, f"{directory}: {identity.describe(now)}", remedy)


async def scanner(tools: Toolbox, directory: Path, scratch: Path) -> Iterator[CheckResult]:
    """Have the locked Grype load the database that would judge: a schema of another Grype is known only by trying."""
    try:
        schema = await Grype(tools, directory, scratch).loaded()
    except ShipsealError as error:
        why = f": {error.why[-1]}" if error.why else ""
        remedy = "`db update` or `db import FILE`, with a database for the Grype of tools/tools.lock.toml"
        return iter(
            [CheckResult("scanner", CheckState.MISSING, f"Grype cannot load {directory}: {error.what}{why}", remedy)]
        )
    return iter([CheckResult("scanner", CheckState.THERE, f"Grype loads the database, of schema {schema}")])


def credentials(config: Config, environment: Mapping[str, str]) -> Iterator[CheckResult]:
    """Look for a registry login, without reading it out."""
    host = config.image.repository.partition("/")[0]
    if content := environment.get(CONTENT):
        try:
            state, has = (CheckState.THERE, "a") if _login_for(host, read(content)) else (CheckState.OPTIONAL, "no")
            yield CheckResult("credentials", state, f"{CONTENT} has {has} login for {host}", "put one into it")
        except UsageError as error:
            yield CheckResult("credentials", CheckState.MISSING, error.what, error.remedy)
        return
    home = environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "/")) / ".docker"
    path = Path(home) / "config.json"
    remedy = f"a release needs one: `docker login {host}`, or set DOCKER_CONFIG to a directory with a config.json"
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        yield CheckResult("credentials", CheckState.OPTIONAL, f"none: there is no {path}", remedy)
        return
    except (OSError, ValueError, RecursionError) as error:
        yield CheckResult("credentials", CheckState.OPTIONAL, f"{path} cannot be read ({error})", remedy)
        return
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield CheckResult("credentials", CheckState.MISSING, f"{path} can be read by others", f"run `chmod 600 {path}`")
    elif _login_for(host, document):
        yield CheckResult("credentials", CheckState.THERE, f"{path} has a login for {host}")
    else:
        yield CheckResult("credentials", CheckState.OPTIONAL, f"{path} has no login for {host}", remedy)


def _login_for(host: str, document: object) -> bool:
    return host in hosts(document) or has_default_helper(document)


def configuration(path: Path) -> tuple[Config | None, CheckResult]:
    """Read the configuration; without one only the machine is looked at."""
    try:
        config = Config.load(path)
    except ShipsealError as error:
        why = f": {error.why[0]}" if error.why else ""
        return None, CheckResult("project", CheckState.MISSING, f"{error.what}{why}", error.remedy)
    return config, CheckResult("project", CheckState.THERE, f"{config.service.name}, {config.image.repository}")
