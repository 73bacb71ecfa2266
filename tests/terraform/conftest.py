"""One emulated AWS for the whole run, bootstrapped once, with every environment living in it side by side."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cloud.aws import ACCOUNT, HOME, Cloud, started
from tests.cloud.terraform import CONFIGURATION, Root, cli_configuration, copy, environment

from .life import Life, live

DOMAIN = "time.example.test"
VARIABLES = (
    f'-var=administrators=["arn:aws:iam::{ACCOUNT}:role/admin"]',
    "-var=github_repository=example/simpletimeservice",
)
MakeRoot = Callable[..., Root]


@pytest.fixture(scope="session")
def cli_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a CLI configuration that knows the mirror only; without the mirror every test here fails, saying so."""
    return cli_configuration(tmp_path_factory.mktemp("cli") / "terraform.rc")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the configuration, with the small environment beside the real ones."""
    tree = copy(tmp_path_factory.mktemp("tree") / "terraform")
    small = tree / "environments" / "small"
    small.mkdir()
    for file in ("main.tf",):
        (small / file).write_text((Path(__file__).parent / "small" / file).read_text())
    lock = CONFIGURATION / "environments" / "production" / ".terraform.lock.hcl"
    (small / lock.name).write_text(lock.read_text())
    return tree


@pytest.fixture(scope="session")
def cloud(cli_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Give a fresh emulated AWS."""
    with started(tmp_path_factory.mktemp("cloud") / "emulator.log") as cloud:
        yield cloud


@pytest.fixture(scope="session")
def make_root(cloud: Cloud, cli_file: Path, tree: Path) -> MakeRoot:
    """Give a function that opens a root module of the copy, whose commands reach the emulated AWS only."""

    def make(name: str, **more: str) -> Root:
        return Root(tree / name, environment(cli_file, **cloud.environment, **more))

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
def backend(make_root: MakeRoot, tree: Path) -> Path:
    """Give the file that every environment's init needs, by a bootstrap in the first region."""
    root = make_root("bootstrap")
    root.init()
    root.apply().expect()
    file = tree / "backend.hcl"
    file.write_text(root.run("output", "-raw", "backend").expect().output)
    return file


@pytest.fixture(scope="session")
def lives(make_root: MakeRoot, backend: Path, zone: str, pool: ThreadPoolExecutor) -> dict[str, Future[Life]]:
    """Start the life of each environment, all at once; `result()` waits for its end."""
    domain = (f"-var=domain={DOMAIN}", f"-var=zone_id={zone}")
    more = {
        "development": ((), ("-var=kubernetes_version=1.36",)),
        "production": (
            (*domain, '-var=alarm_emails=["on-call@example.test"]', "-var=web_acl={enabled=true,rate_limit=2000}"),
            ("-var=deletion_protection=false",),
        ),
        "recovery": (domain, ("-var=deletion_protection=false",)),
    }

    def begin(name: str) -> Life:
        root = make_root(f"environments/{name}")
        root.init(f"-backend-config={backend}")
        variables, change = more[name]
        return live(root, (*VARIABLES, *variables), change)

    return {name: pool.submit(begin, name) for name in more}


@pytest.fixture(scope="session", autouse=True)
def begun(request: pytest.FixtureRequest) -> None:
    """Let the environments live from the first test on, while the quick tests run, when any test asks for them."""
    if any("lives" in item.fixturenames for item in request.session.items if isinstance(item, pytest.Function)):
        request.getfixturevalue("lives")


@pytest.fixture(scope="session")
def programs() -> Path:
    """Give the directory of what requirements-terraform.lock installs."""
    return HOME / ".venv-terraform" / "bin"
