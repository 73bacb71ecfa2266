"""One emulated AWS for the whole run, bootstrapped by the runbook, with every environment living in it side by side."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.aws import ACCOUNT, HOME, Cloud, started
from tests.cloud.terraform import (
    CONFIGURATION,
    Done,
    Root,
    cli_configuration,
    copy,
    environment,
    quick_cli_configuration,
)
from tests.runbook import commands, follow

from .drill import Drill
from .life import Life, live

DOMAIN = "time.example.test"
REQUIRED: dict[str, Any] = {
    "administrators": [f"arn:aws:iam::{ACCOUNT}:role/admin"],
    "github_repository": "example/simpletimeservice",
}
MakeRoot = Callable[..., Root]
Lives = dict[str, Future[Life]]

_said = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Have a list of what the run has to say at its end."""
    config.stash[_said] = []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits for no bucket, while that is made; and give whoever waits for a life the time it takes."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(900))
    items.sort(key=lambda item: "bootstrap" in getattr(item, "fixturenames", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it."""
    for line in terminalreporter.config.stash[_said]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Give a function that keeps a line for the end of the run."""
    return request.config.stash[_said].append


@pytest.fixture(scope="session")
def cli_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a CLI configuration that knows the mirror only; without the mirror every test here fails, saying so."""
    return cli_configuration(tmp_path_factory.mktemp("cli") / "terraform.rc")


@pytest.fixture(scope="session")
def quick_cli_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one for tests of what the configuration says, in which the provider's checksum plays no part."""
    return quick_cli_configuration(tmp_path_factory.mktemp("quick") / "terraform.rc")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the configuration, with the small environment beside the real ones, and manifests beside it."""
    tree = copy(tmp_path_factory.mktemp("tree") / "terraform")
    shutil.copytree(HOME / "k8s", tree.parent / "k8s")
    shutil.copy(HOME / "pipeline.toml", tree.parent)
    small = tree / "environments" / "small"
    small.mkdir()
    lock = CONFIGURATION / "environments" / "production" / ".terraform.lock.hcl"
    for file in (Path(__file__).parent / "small" / "main.tf", lock):
        (small / file.name).write_text(file.read_text())
    return tree


@pytest.fixture(scope="session")
def cloud(cli_file: Path, tmp_path_factory: pytest.TempPathFactory, say: Callable[[str], None]) -> Iterator[Cloud]:
    """Give a fresh emulated AWS; the last that it says of itself stands at the end of the run."""
    log = tmp_path_factory.mktemp("cloud") / "emulator.log"
    with started(log) as cloud:
        yield cloud
    for line in log.read_text(errors="replace").splitlines()[-40:]:
        say(f"the emulated AWS: {line}")


@pytest.fixture(scope="session")
def make_root(cloud: Cloud, cli_file: Path, tree: Path) -> MakeRoot:
    """Give a function that opens a root module of the copy, whose commands reach the emulated AWS only."""

    def make(name: str, variables: dict[str, Any] | None = None, **more: str) -> Root:
        # Our own interpreter first: it is what `python` is in a runbook.
        found = f"{Path(sys.executable).parent}{os.pathsep}{cloud.environment['PATH']}"
        root = Root(tree / name, environment(cli_file, **{**cloud.environment, "PATH": found, **more}))
        if variables is not None:
            (root.directory / "test.auto.tfvars.json").write_text(json.dumps(variables))
        return root

    return make


@pytest.fixture(scope="session")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Give threads for what takes long because Terraform waits, not because it works."""
    with ThreadPoolExecutor(max_workers=6) as pool:
        yield pool


@pytest.fixture(scope="session")
def zone(cloud: Cloud) -> str:
    """Give the id of a public hosted zone for example.test."""
    return cloud.zone("example.test")


@pytest.fixture(scope="session")
def second_backend(make_root: MakeRoot, tree: Path, pool: ThreadPoolExecutor) -> Future[Done]:
    """Begin the bootstrap of the second region, by the runbook."""
    blocks = commands("first-set-up.md", section="4.")
    return pool.submit(lambda: follow(blocks, tree.parent, make_root(".").environment).expect())


@pytest.fixture(scope="session")
def bootstrap(make_root: MakeRoot, tree: Path, pool: ThreadPoolExecutor) -> Future[Done]:
    """Begin the bootstrap of the first region, by the runbook."""
    blocks = commands("first-set-up.md", section="1.")
    return pool.submit(lambda: follow(blocks, tree.parent, make_root(".").environment).expect())


@pytest.fixture(scope="session")
def backend(bootstrap: Future[Done], tree: Path) -> Callable[[], Path]:
    """Give a function that waits for the file that every environment's init needs."""

    def made() -> Path:
        bootstrap.result()
        return tree / "backend.hcl"

    return made


@pytest.fixture(scope="session")
def drill(zone: str, cloud: Cloud) -> Drill:
    """Give the drill that production and the second region meet in."""
    return Drill(DOMAIN, zone, cloud)


@pytest.fixture(scope="session")
def meanwhile() -> dict[str, list[Done]]:
    """Give what was done while an environment stood, by the page of the runbook that it is about."""
    return {"credential-leak.md": [], "node-size.md": []}


def resize(root: Root) -> list[Done]:
    """Ask for more nodes than there are, which is refused, and then follow the runbook; return what both said."""
    refused = root.run("plan", "-no-color", "-input=false", "-var=node_size={min=2,desired=2,max=3}").expect(1)
    sizes = {**root.environment, "MIN": "2", "MAX": "3"}
    return [refused, follow(commands("node-size.md"), root.directory, sizes).expect()]


@pytest.fixture(scope="session")
def lives(
    make_root: MakeRoot,
    backend: Callable[[], Path],
    drill: Drill,
    pool: ThreadPoolExecutor,
    second_backend: Future[Done],
    meanwhile: dict[str, list[Done]],
) -> Lives:
    """Start the life of each environment, all at once; `result()` waits for its end."""
    names = {"domain": DOMAIN, "zone_id": drill.zone}

    def development() -> Life:
        root = make_root("environments/development", REQUIRED)
        root.init(f"-backend-config={backend()}")

        def while_it_stands() -> None:
            meanwhile["node-size.md"] += resize(root)

        def upgrade() -> Done:
            return follow(commands("cluster-upgrade.md"), root.directory, root.environment)

        return live(root, root.apply, while_it_stands, "-var=kubernetes_version=1.36", upgrade)

    def production() -> Life:
        more = {"alarm_emails": ["on-call@example.test"], "web_acl": {"enabled": True, "rate_limit": 2000}}
        root = make_root("environments/production", {**REQUIRED, **names, **more})
        root.init(f"-backend-config={backend()}")
        unprotected = "-var=deletion_protection=false"

        def while_it_stands() -> None:
            leak = follow(commands("credential-leak.md"), root.directory, root.environment)
            meanwhile["credential-leak.md"].append(leak.expect())
            drill.hold()

        return live(root, root.apply, while_it_stands, unprotected, lambda: root.apply(unprotected))

    def recovery() -> Life:
        second_backend.result()
        root = make_root("environments/recovery", {**REQUIRED, **names})
        unprotected = "-var=deletion_protection=false"

        def apply() -> Done:
            with drill.timed("apply the second region"):
                return follow(commands("regional-failure.md", section="2."), root.directory, root.environment)

        def while_it_stands() -> None:
            with drill.timed("write the overlay"):
                follow(commands("regional-failure.md", section="3."), root.directory, root.environment).expect()
            drill.run(root)

        return live(root, apply, while_it_stands, unprotected, lambda: root.apply(unprotected))

    return {begin.__name__: pool.submit(begin) for begin in (production, recovery, development)}


@pytest.fixture(scope="session", autouse=True)
def begun(request: pytest.FixtureRequest) -> None:
    """Let the environments live from the first test on, while the quick tests run, when any test asks for them."""
    if any("lives" in item.fixturenames for item in request.session.items if isinstance(item, pytest.Function)):
        request.getfixturevalue("lives")


@pytest.fixture(scope="session")
def programs() -> Path:
    """Give the directory of what `make test-terraform` installs."""
    return HOME / ".venv-terraform" / "bin"
