"""The image has one digest: whoever builds it, wherever, whenever, with whatever settings, and whichever Python."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests.commands import Ended, clone, pipeline, read

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@pytest.fixture(scope="module")
def expected(finished: tuple[Path, Ended]) -> str:
    """Give the digest of an ordinary build."""
    return str(read(finished[0] / ".run", "image/image.json")["digest"])


def digest(root: Path, *words: str | Path, prefix: tuple[str, ...] = (), env: dict[str, str] | None = None) -> str:
    ended = pipeline("dry-run", "--to", "image", *words, cwd=root, prefix=prefix, env=env)
    assert ended.code == 0, ended.output
    return str(read(root / ".run", "image/image.json")["digest"])


def private_and_old(root: Path) -> None:
    """Let nobody else read the checkout's modules, and have each changed at another time long ago."""
    for number, path in enumerate(root.rglob("*.py")):
        path.chmod(0o600)
        os.utime(path, (number, number))


def written_backwards(root: Path) -> None:
    """Write the checkout's files anew, the last of the alphabet first."""
    for path in sorted(root.glob("app/greetings/**/*"), reverse=True):
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)


# As reprotest does, each build varies all at a time that a laptop and a CI runner differ in: a build takes long.
@pytest.mark.parametrize(
    ("settings", "umask", "where", "prepare"),
    [
        (("Pacific/Kiritimati", "tr_TR.UTF-8", "1"), 0o077, "a/longer/path/than before", private_and_old),
        (("America/St_Johns", "C", "4294967295"), 0o022, "greetings", written_backwards),
    ],
    ids=["umask, path, modes and times", "order of files"],
)
def test_time_zone_locale_hash_seed_and_the_checkout_do_not_reach_it(
    tmp_path: Path, expected: str, settings: tuple[str, ...], umask: int, where: str, prepare: Callable[[Path], None]
) -> None:
    before = os.umask(umask)
    try:
        root = clone("greetings", tmp_path / where)
        prepare(root)
        assert digest(root, env=dict(zip(("TZ", "LC_ALL", "PYTHONHASHSEED"), settings, strict=True))) == expected
    finally:
        os.umask(before)


needs_disorder = pytest.mark.skipif(
    not shutil.which("disorderfs") or not Path("/dev/fuse").exists() or os.geteuid() != 0,
    reason="disorderfs is not installed or may not be mounted here: apt-get install disorderfs",
)


@pytest.fixture
def disordered(tmp_path: Path) -> Iterator[Path]:
    """Give a directory whose files are listed in another order each time."""
    (tmp_path / "ordered").mkdir()
    seen = tmp_path / "disordered"
    seen.mkdir()
    subprocess.run(["disorderfs", "-q", "--shuffle-dirents=yes", tmp_path / "ordered", seen], check=True)
    yield seen
    subprocess.run(["umount", "--lazy", seen], check=True)


@needs_disorder
def test_the_order_in_which_a_file_system_lists_files_does_not_reach_it(disordered: Path, expected: str) -> None:
    for number in range(20):
        (disordered / f"{number}").touch()
    assert len({tuple(disordered.iterdir()) for _ in range(10)}) > 1, "it lists in the same order each time"
    assert digest(clone("greetings", disordered / "greetings")) == expected


@pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed: apt-get install faketime")
@pytest.mark.parametrize("clock", ["1999-12-31 23:59:59", "2037-01-19 03:14:07"])
def test_the_clock_does_not_reach_it(tmp_path: Path, expected: str, clock: str) -> None:
    root = clone("greetings", tmp_path / "greetings")
    # It has another time for each file, too: our byte code would be written anew for that one, and after it for ours.
    settings = {"DONT_FAKE_MONOTONIC": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    found = digest(root, prefix=("faketime", clock), env=settings)
    began = read(root / ".run", "image/record.json")["started"]
    assert began.startswith((clock[:4], str(int(clock[:4]) + 1))), "it saw the real clock"
    assert found == expected


VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PREPARED = "PIPELINE_PYTHONS"
HOW = f"make one with `pythonX -m venv DIR && DIR/bin/pip install --require-hashes -r requirements.lock`, in {PREPARED}"


def other_interpreters() -> Iterator[str]:
    """Yield what can run the pipeline here: those of this minor version on PATH, and those that were prepared."""
    places = [Path(each, f"python{VERSION}") for each in (*os.get_exec_path(), "/usr/bin", "/usr/local/bin")]
    found = {place.resolve() for place in places if place.exists() and "shims" not in place.parts}
    yield from map(str, sorted(found - {Path(sys.executable).resolve()}))
    yield from filter(None, os.environ.get(PREPARED, "").split(os.pathsep))


@pytest.mark.parametrize(
    "python", list(dict.fromkeys(other_interpreters())) or [pytest.param("", marks=pytest.mark.skip(HOW))]
)
def test_the_python_that_runs_the_pipeline_does_not_reach_it(tmp_path: Path, expected: str, python: str) -> None:
    version = said(python, "import sys; print(*sys.version_info[:2], sep='.')")
    if version == VERSION:  # it can take the packages of this one
        subprocess.run([python, "-m", "venv", "--without-pip", tmp_path / "environment"], check=True)
        python = str(tmp_path / "environment/bin/python")
        (site,) = (tmp_path / "environment").glob("lib/python*/site-packages")
        (site / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n{HOME}\n")
    root = clone("greetings", tmp_path / "greetings")
    command = [python, "-m", "shipseal", "dry-run", "--to", "image"]
    env = {**os.environ, "PYTHONPATH": str(HOME)}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read(root / ".run", "image/image.json")["digest"] == expected


def said(python: str, code: str) -> str:
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def interpreter_of_nobody(where: Path) -> Path:
    """Make an environment that another user may run, with the packages of this one."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (str(getattr(sys, "_base_executable", sys.executable)), f"/usr/bin/python{here}"):
        readable = [*AS_NOBODY, candidate, "-c", "import sys; open(sys.executable, 'rb')"]
        if subprocess.run(readable, check=False, capture_output=True).returncode == 0:
            subprocess.run([candidate, "-m", "venv", "--without-pip", where], check=True)
            (site,) = where.glob("lib/python*/site-packages")
            (site / "shared.pth").write_text("".join(f"{place}\n" for place in open_to_nobody(where.parent)))
            return where / "bin" / "python"
    raise AssertionError(f"no Python {here} that another user may run: install one in /usr/bin")


def open_to_nobody(copies: Path) -> tuple[Path, Path]:
    """Return where the packages and our code are, or copies: a checkout in root's home is closed to others."""
    packages = Path(sysconfig.get_path("purelib"))
    may_read = [*AS_NOBODY, "test", "-r", str(packages), "-a", "-r", str(HOME / "shipseal")]
    if subprocess.run(may_read, check=False).returncode == 0:
        return packages, HOME
    shutil.copytree(packages, copies / "site-packages")
    for name in ("shipseal", "policy", "tools", "image", "requirements.lock"):
        source, target = HOME / name, copies / "code" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return copies / "site-packages", copies / "code"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_with_a_store_that_it_may_only_read_gets_it_too(expected: str, store: Store) -> None:
    with tempfile.TemporaryDirectory() as open_to_all:
        base = Path(open_to_all)
        base.chmod(0o755)
        python = interpreter_of_nobody(base / "environment")
        shutil.copytree(store.root, base / "store")
        root = clone("greetings", base / "greetings")
        (base / "home").mkdir()
        for path in (base / "home", root, *root.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        words = ["-m", "shipseal", "dry-run", "--to", "image", "--store", str(base / "store")]
        done = subprocess.run(
            [*AS_NOBODY, str(python), *words],
            cwd=root,
            env={**os.environ, "HOME": str(base / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert read(root / ".run", "image/image.json")["digest"] == expected
        assert (root / ".run" / "image").stat().st_uid == NOBODY
