"""Take services that nobody here wrote through `init` and a dry run: `make real-services`, or with some of their names.

Each is fetched from the index by name, version and sha256 (real_services.lock); that, the locks that `init` makes and
what they name need a network. The wheel of the pipeline is installed for it, with what its lock names, where no
checkout is. No file of theirs is edited by hand. pip asks a source distribution for its metadata, which runs code of
its author: do this where you would install it. Two samples of our own go first, as two other backends build them:
`flit` and `poetry` are their names.

A table says how `init`, the tests and the whole dry run ended: `ok`, or the exit code and the stage. `admit` refuses
what the SAMPLE database knows and nobody has stated anything of: `init` has said what to do, and a dry run of a project
that has done nothing of it has to end so.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shipseal.locked import locks
from shipseal.project.config import HOME
from tests.commands import SAMPLES, commit
from tests.installing import install

LOCK = HOME / "bench" / "real_services.lock"
WHAT = {
    "ara": "Django, in an extra; wants migrations",
    "gridos": "FastAPI under uvicorn; numpy, pydantic-core, uvloop compiled",
    "httpbin": "Flask with templates; imports six.moves",
    "open-web-calendar": "Flask under gunicorn; lxml, bcrypt compiled; needs are in files",
    "radicale": "WSGI; python-dateutil imports six.moves",
}
BACKENDS = {
    "flit": ("flit_core.buildapi", "flit_core>=3.4"),
    "poetry": ("poetry.core.masonry.api", "poetry-core>=2"),
}
_SECONDS = 3600


@dataclass(frozen=True)
class Row:
    """What came of one service.

    Args:
        name: with its version.
        seconds: that `init` took.
        init: how `init` ended, `ok` or the exit code.
        test: how `dry-run --to test` ended.
        whole: how the whole dry run ended; behind an exit code the stage.
        said: what was said last of each failure.
        right: whether all ended as it should.
    """

    name: str
    seconds: float
    init: str
    test: str
    whole: str
    said: tuple[str, ...]
    right: bool


def sample(backend: str, directory: Path) -> Path:
    """Make the sample service as a project that another backend builds, and return its directory."""
    root = directory / f"greetings-{backend}"
    shutil.copytree(SAMPLES / "greetings" / "app", root)
    shutil.copytree(SAMPLES / "greetings" / "tests", root / "tests")
    module, needed = BACKENDS[backend]
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace("hatchling.build", module).replace('["hatchling"]', f'["{needed}"]')
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return root


def fetch(name: str, directory: Path) -> Path:
    """Fetch the source distribution that the lock names; return the directory that it is unpacked to."""
    [line] = [each for each in locks.requirements(LOCK.read_text(encoding="utf-8"), LOCK.name) if each.name == name]
    asked = directory / "asked.txt"
    hashes = " ".join(f"--hash=sha256:{digest.hex}" for digest in sorted(line.hashes, key=str))
    asked.write_text(f"{name}=={line.version} {hashes}\n", encoding="utf-8")
    pip = [sys.executable, "-P", "-m", "pip", "-q", "--disable-pip-version-check", "download", "--require-hashes"]
    subprocess.run(
        [*pip, "--no-deps", "--no-binary", ":all:", "--dest", directory, "-r", asked], check=True, timeout=_SECONDS
    )
    [archive] = directory.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(directory / "unpacked", filter="data")
    [root] = (directory / "unpacked").iterdir()
    return root


def run(shipseal: Path, name: str, root: Path) -> Row:
    """Take one project through it."""
    with (root / ".gitignore").open("a", encoding="utf-8") as ignored:
        ignored.write("\n.run/\n")
    commit(root)
    began = time.monotonic()
    code, stage, said = _command(shipseal, root, "init", "--yes")
    seconds = time.monotonic() - began
    if code:
        return Row(name, seconds, _told(code, stage), "-", "-", (said,), right=False)
    commit(root)
    test = _command(shipseal, root, "dry-run", "--to", "test")
    whole = _command(shipseal, root, "dry-run")
    right = test[0] == 0 and (whole[0] == 0 or whole[:2] == (3, "admit"))
    failed = tuple(text for code, _, text in (test, whole) if code)
    return Row(name, seconds, "ok", _told(*test[:2]), _told(*whole[:2]), failed, right)


def _command(shipseal: Path, root: Path, *words: str) -> tuple[int, str, str]:
    """Return the exit code of a command, the stage at fault and what was said of it."""
    done = subprocess.run([shipseal, *words], cwd=root, capture_output=True, text=True, timeout=_SECONDS, check=False)
    lines = done.stderr.splitlines()
    errors = [line.strip() for line in lines if line.startswith(("error:", "  why", "  do "))]
    stages = [line.split()[1] for line in lines if line.startswith("  stage ")]
    return done.returncode, next(iter(stages), ""), " | ".join(errors)


def _told(code: int, stage: str) -> str:
    return f"{code} {stage}".strip() if code else "ok"


def _projects(names: list[str], work: Path) -> dict[str, Path]:
    """Return the directory of each project that is asked for, by its name and version."""
    made = {f"greetings ({each})": sample(each, work) for each in BACKENDS if each in (names or BACKENDS)}
    versions = {each.name: each.version for each in locks.requirements(LOCK.read_text(encoding="utf-8"), LOCK.name)}
    for name in [each for each in names if each not in BACKENDS] if names else sorted(WHAT):
        (work / name).mkdir()
        made[f"{name} {versions[name]}"] = fetch(name, work / name)
    return made


def main(names: list[str]) -> int:
    """Run those that are named, else all; return 1 where one does something else than what is right."""
    wrong = False
    print(f"{datetime.now(UTC).date()}, the installed wheel")
    print(f"{'project':<26}{'init':>6}{'seconds':>9}{'test':>9}{'dry run':>11}   what it is")
    with tempfile.TemporaryDirectory(prefix="real-") as directory:
        work = Path(directory)
        (work / "shipseal").mkdir()
        shipseal = install(work / "shipseal", HOME / "requirements.lock")
        for name, root in _projects(names, work).items():
            row = run(shipseal, name, root)
            what = WHAT.get(name.partition(" ")[0], "the sample")
            print(f"{row.name:<26}{row.init:>6}{row.seconds:>9.0f}{row.test:>9}{row.whole:>11}   {what}", flush=True)
            for said in row.said:
                print(f"    {said}", flush=True)
            wrong |= not row.right
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
