"""The image has one digest: whoever builds it, wherever, whenever, with whatever settings, and whichever Python."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from pipeline.config import HOME
from pipeline.store import Store
from tests.commands import clone, pipeline, read

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the digest of an ordinary build."""
    root = clone("greetings", tmp_path_factory.mktemp("ordinary") / "greetings")
    assert pipeline("dry-run", "--to", "image", cwd=root).code == 0
    return str(read(root / ".run", "image/image.json")["digest"])


def digest(root: Path, *words: str | Path, prefix: tuple[str, ...] = (), env: dict[str, str] | None = None) -> str:
    ended = pipeline("dry-run", "--to", "image", *words, cwd=root, prefix=prefix, env=env)
    assert ended.code == 0, ended.output
    return str(read(root / ".run", "image/image.json")["digest"])


@pytest.mark.parametrize(
    "env",
    [
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"},
        {"TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONHASHSEED": "4294967295"},
    ],
)
def test_time_zone_locale_and_hash_seed_do_not_reach_it(tmp_path: Path, expected: str, env: dict[str, str]) -> None:
    assert digest(clone("greetings", tmp_path / "greetings"), env=env) == expected


def test_umask_and_the_modes_and_times_of_the_checkout_do_not_reach_it(tmp_path: Path, expected: str) -> None:
    before = os.umask(0o077)
    try:
        root = clone("greetings", tmp_path / "a" / "longer" / "path" / "than before")
        for number, path in enumerate(root.rglob("*.py")):
            path.chmod(0o600)
            os.utime(path, (number, number))
        assert digest(root) == expected
    finally:
        os.umask(before)


def test_the_order_of_files_does_not_reach_it(tmp_path: Path, expected: str) -> None:
    root = clone("greetings", tmp_path / "greetings")
    for path in sorted(root.glob("app/greetings/**/*"), reverse=True):
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
    assert digest(root) == expected


def interpreter_of_nobody(where: Path) -> Path:
    """Make an environment that another user may run, with the packages of this one."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (getattr(sys, "_base_executable", sys.executable), f"/usr/bin/python{here}"):
        readable = [*AS_NOBODY, candidate, "-c", "import sys; open(sys.executable, 'rb')"]
        if subprocess.run(readable, check=False, capture_output=True).returncode == 0:
            subprocess.run([candidate, "-m", "venv", "--without-pip", where], check=True)
            (site,) = where.glob("lib/python*/site-packages")
            (site / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n{HOME}\n")
            return where / "bin" / "python"
    raise AssertionError(f"no Python {here} that another user may run: install one in /usr/bin")


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
        command = [*AS_NOBODY, python, "-m", "pipeline", "dry-run", "--to", "image", "--store", base / "store"]
        done = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "HOME": str(base / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert read(root / ".run", "image/image.json")["digest"] == expected
        assert (root / ".run" / "image").stat().st_uid == NOBODY
