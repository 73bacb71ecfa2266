"""Tools are moved to their newest release by the real go command, over a proxy that is a directory of this test."""

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anyio
import pytest

from shipseal.errors import RemoteFailed, ToolFailed, UsageError
from shipseal.locked import locks
from shipseal.locked.store import Store
from shipseal.relocking.relock import Relocked, Wanted, relock
from shipseal.relocking.relock_tools import Upgraded, upgrade_tools
from shipseal.relocking.upgrade_tools import require_known
from shipseal.tools.toolbox import Toolbox
from tests.origins import toolbox

pytestmark = pytest.mark.skipif(not shutil.which("go"), reason="no Go on this machine")

GOOD = 'package main\n\nvar version = "none"\n\nfunc main() { println(version) }\n'
LOCK = f"""\
# why

[hello]
version = "1.2.3"
package = "tools.invalid/hello"
ldflags = "-s -w -X main.version=1.2.3"

[hello.sha256]
"linux/amd64" = "{"0" * 64}"
"linux/arm64" = "{"0" * 64}"
"""


class Place:
    """A directory of tools as the pipeline has it, with `hello` at 1.2.3, and a proxy that has that version."""

    def __init__(self, root: Path) -> None:
        self.proxy, self.tools, self.store = root / "proxy", root / "tools", Store(root / "store")
        self.log = root / "log.txt"
        version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True)
        self.go = version.stdout.strip().removeprefix("go")
        (self.tools / "hello").mkdir(parents=True)
        (self.tools / "hello" / "go.mod").write_text(f"module pipeline.invalid/tools/hello\n\ngo {self.go}\n")
        self.lock = self.tools / "tools.lock.toml"
        self.lock.write_text(LOCK)
        self.offer("1.2.3")
        getting = ["go", "get", "-tool", "tools.invalid/hello@v1.2.3"]
        subprocess.run(getting, cwd=self.tools / "hello", check=True, capture_output=True)

    def offer(self, version: str, source: str = GOOD, *, whole: bool = True) -> None:
        """Serve a version of the module; without its files where it is not whole."""
        versions = self.proxy / "tools.invalid" / "hello" / "@v"
        versions.mkdir(parents=True, exist_ok=True)
        with (versions / "list").open("a") as listed:
            listed.write(f"v{version}\n")
        module = f"module tools.invalid/hello\n\ngo {self.go}\n"
        (versions / f"v{version}.info").write_text(f'{{"Version": "v{version}"}}')
        (versions / f"v{version}.mod").write_text(module)
        if whole:
            with zipfile.ZipFile(versions / f"v{version}.zip", "w") as archive:
                for name, text in (("go.mod", module), ("main.go", source)):
                    archive.writestr(f"tools.invalid/hello@v{version}/{name}", text)

    def content(self) -> dict[str, str]:
        """Return every file below `tools`, a part that was left behind too."""
        return {str(path.relative_to(self.tools)): path.read_text() for path in self.tools.rglob("*.*")}

    def upgrade(self, keep: Sequence[str] = ()) -> Upgraded:
        return anyio.run(upgrade_tools, self.toolbox(), self.store, self.tools, LOCK, keep, print)

    def toolbox(self) -> Toolbox:
        return toolbox(self.store, self.log, {})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in (("GOSUMDB", "off"), ("GOPROXY", f"file://{tmp_path}/proxy"), ("GOPATH", str(tmp_path / "go"))):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GOFLAGS", "-modcacherw")
    monkeypatch.delenv("GOMODCACHE", raising=False)
    return Place(tmp_path)


def test_the_newest_release_is_chosen_and_built_and_the_graphs_stay_until_they_are_written(place: Place) -> None:
    """Of a prerelease and of words that are no version none is."""
    for version in ("1.3.0", "1.10.0", "1.11.0-rc.1"):
        place.offer(version)
    with (place.proxy / "tools.invalid" / "hello" / "@v" / "list").open("a") as listed:
        listed.write("v99.0.0;id\n--version\n")
    before = place.content()
    upgraded = place.upgrade()
    assert place.content() == before
    tool = locks.tools(upgraded.text, "tools.lock.toml")["hello"]
    assert (tool.version, tool.ldflags) == ("1.10.0", "-s -w -X main.version=1.10.0")
    assert upgraded.left == ()
    files = {str(path.relative_to(place.tools)): text for path, text in upgraded.files.items()}
    assert {"hello/go.mod", "hello/go.sum"} == files.keys()
    assert "tools.invalid/hello v1.10.0 // indirect" in files["hello/go.mod"]
    for platform, machine in (("linux/amd64", b"\x3e\x00"), ("linux/arm64", b"\xb7\x00")):
        assert place.store.get(tool.digest(platform)).read_bytes()[18:20] == machine


def test_what_is_the_newest_already_is_not_built_again(place: Place) -> None:
    assert place.upgrade() == Upgraded(LOCK, {}, ())


def test_a_version_whose_files_the_proxy_has_not_is_left_and_told(place: Place) -> None:
    place.offer("1.3.0", whole=False)
    upgraded = place.upgrade()
    assert (upgraded.text, upgraded.files) == (LOCK, {})
    (left,) = upgraded.left
    assert str(left).startswith("hello stays at 1.2.3: 1.3.0 cannot be had: ")
    assert "v1.3.0.zip" in left.why


def test_a_tool_that_is_kept_is_not_asked_for(place: Place) -> None:
    place.offer("1.3.0")
    assert place.upgrade(keep=["hello"]) == Upgraded(LOCK, {}, ())


def test_a_name_to_keep_that_no_lock_has_is_refused() -> None:
    with pytest.raises(UsageError, match="no lock names a tool helo"):
        require_known(["helo"], ["hello"])


def test_a_proxy_that_lists_nothing_is_a_failure_and_not_no_news(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    with pytest.raises(RemoteFailed, match="no versions of any tool can be listed"):
        place.upgrade()


def _relock(place: Place, check: Callable[[Sequence[Relocked]], object] = lambda _: None) -> list[Relocked]:
    async def checked(chosen: Sequence[Relocked]) -> None:
        check(chosen)

    asked = [Wanted("tools", place.lock)]
    return anyio.run(
        partial(relock, place.toolbox(), place.store, asked, print, upgrade=True, check=checked),
    )


def test_the_graph_and_the_lock_are_written_together(place: Place) -> None:
    place.offer("1.3.0")
    (relocked,) = _relock(place)
    written = place.content()
    assert {"hello/go.mod", "hello/go.sum", "tools.lock.toml"} == written.keys()
    assert "v1.3.0" in written["hello/go.mod"]
    assert written["tools.lock.toml"] == relocked.new != LOCK
    assert [str(each) for each in relocked.changes] == ["hello 1.2.3 -> 1.3.0"]


def test_a_build_that_fails_changes_nothing(place: Place) -> None:
    place.offer("1.3.0", GOOD.replace("println", "no_such_function"))
    before = place.content()
    with pytest.raises(ToolFailed, match=r"hello 1\.3\.0 could not be built; no lock was changed"):
        _relock(place)
    assert place.content() == before


def test_what_the_check_refuses_is_not_written(place: Place) -> None:
    place.offer("1.3.0")
    before = place.content()

    def refuse(chosen: Sequence[Relocked]) -> None:
        assert "1.3.0" in chosen[0].new
        raise ToolFailed("the sample does not go through")

    with pytest.raises(ToolFailed, match="the sample does not go through; no lock was changed"):
        _relock(place, refuse)
    assert place.content() == before


KILLED = """
import sys
from functools import partial
from pathlib import Path
import anyio
from shipseal.relocking.relock import Wanted, relock
from shipseal.locked.store import Store
from tests.origins import toolbox
store = Store(Path(sys.argv[2]))
asked = [Wanted("tools", Path(sys.argv[1]))]
say = partial(print, flush=True)
anyio.run(partial(relock, toolbox(store, Path(sys.argv[3]), {}), store, asked, say, upgrade=True))
"""


def test_a_kill_in_the_middle_of_a_build_changes_nothing(place: Place) -> None:
    place.offer("1.3.0")
    before = place.content()
    words = [sys.executable, "-c", KILLED, str(place.lock), str(place.store.root), str(place.log)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as child:
        assert child.stdout is not None
        assert any(line.startswith("building hello 1.3.0") for line in child.stdout)
        child.kill()
        child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert place.content() == before
