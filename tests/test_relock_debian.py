"""Making the lock of Debian packages again, with the real apt, offline: what moves, what stays, and what stops it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from shipseal.errors import ConfigError, RemoteFailed
from shipseal.locked.debian import DebianPackage, Lock
from shipseal.locked.store import Store
from shipseal.relocking import debian_lock
from shipseal.relocking.relock_debian import relock_debian
from shipseal.tools.toolbox import Toolbox
from tests.origins import apt_settings, lock_text, make_deb, make_repository, served, suite, toolbox

BOTH = ("amd64", "arm64")
on_debian = pytest.mark.skipif(not suite(), reason="this machine is no Debian")


class Mirror:
    """A Debian repository on loopback, and the lock that is made from it."""

    def __init__(self, scratch: Path, address: str) -> None:
        self.root, self.store = scratch / "repository", Store(scratch / "store")
        self.settings = apt_settings(address, scratch)
        self.sources = scratch / "sources.list"
        self.tools: Toolbox = toolbox(self.store, scratch / "log.txt", self.settings)

    def make(
        self, version: str, name: str = "zlib1g", source: str = "zlib", on: tuple[str, ...] = BOTH
    ) -> list[DebianPackage]:
        return [make_deb(self.root, name, version, each, source) for each in on]

    def relock(self, text: str) -> str:
        return anyio.run(relock_debian, self.tools, self.store, text, print)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    (tmp_path / "repository").mkdir()
    with served(tmp_path / "repository") as address:
        yield Mirror(tmp_path, address)


@on_debian
def test_packages_move_to_what_apt_has_now(mirror: Mirror) -> None:
    """Nothing changes when there is nothing new, and what is new is in the store for the next run."""
    old, new = mirror.make("1:1.2+dfsg-1"), mirror.make("1:1.2+dfsg-2")
    text = lock_text(old)
    make_repository(mirror.root, old)
    assert mirror.relock(text) == text
    make_repository(mirror.root, [*old, *new])
    assert Lock.parse(mirror.relock(text)) == replace(Lock.parse(text), packages=tuple(new))
    assert all(mirror.store.has(item.digest) for item in new)


@on_debian
def test_the_source_is_locked_with_the_version_that_it_has_of_its_own(mirror: Mirror) -> None:
    packages = mirror.make("1.0-1+b1", source="zlib (1.0-1)")
    make_repository(mirror.root, packages)
    assert 'source = "zlib (1.0-1)"' in mirror.relock(lock_text(packages))


@on_debian
def test_a_package_that_is_named_and_no_more_is_locked(mirror: Mirror) -> None:
    old, added = mirror.make("1"), mirror.make("2", "added", "other", ("amd64",))
    make_repository(mirror.root, [*old, *added])
    text = lock_text(old) + '\n[[package]]\nname = "added"\narchitecture = "amd64"'
    assert Lock.parse(mirror.relock(text)).packages == (*added, *old)


@on_debian
def test_a_mirror_that_is_down_beside_one_that_answers_stops_it(mirror: Mirror) -> None:
    """Apt alone goes on without: a security mirror that is down would look like one that has nothing new."""
    packages = mirror.make("1")
    make_repository(mirror.root, packages)
    with mirror.sources.open("a") as sources:
        sources.write("deb [trusted=yes] http://127.0.0.1:9 ./\n")
    with pytest.raises(RemoteFailed, match="cannot bring the newest") as refused:
        mirror.relock(lock_text(packages))
    assert "http://127.0.0.1:9" in "\n".join(refused.value.why)
    assert "can be reached" in refused.value.remedy


@on_debian
def test_a_mirror_that_is_behind_the_lock_does_not_take_it_back(mirror: Mirror) -> None:
    old, new = mirror.make("1.9"), mirror.make("1.10")
    make_repository(mirror.root, old)
    with pytest.raises(RemoteFailed) as refused:
        mirror.relock(lock_text(new))
    assert "'1.10' of 'zlib1g:amd64'" in "\n".join(refused.value.why)
    assert "behind the lock has to catch up" in refused.value.remedy


@on_debian
@pytest.mark.parametrize("left", [(), ("amd64",)], ids=["everywhere", "on one architecture"])
def test_a_package_that_is_gone_from_the_suite_is_named(mirror: Mirror, left: tuple[str, ...]) -> None:
    """On one architecture alone too: the image of the other platform must not lose it unseen."""
    other, packages = mirror.make("1", "other"), mirror.make("1")
    make_repository(mirror.root, [*other, *(each for each in packages if each.architecture in left)])
    with pytest.raises(RemoteFailed) as refused:
        mirror.relock(lock_text([*other, *packages]))
    assert re.search("zlib1g:arm64", "\n".join(refused.value.why))
    assert "has to leave the lock" in refused.value.remedy


@on_debian
def test_a_name_that_no_suite_ever_had_is_named(mirror: Mirror) -> None:
    packages = mirror.make("1")
    make_repository(mirror.root, packages)
    with pytest.raises(RemoteFailed) as refused:
        mirror.relock(lock_text(packages) + '\n[[package]]\nname = "zlib1"\narchitecture = "amd64"\n')
    assert "Unable to locate package zlib1:amd64" in "\n".join(refused.value.why)
    assert refused.value.remedy.startswith("correct the name")


@on_debian
def test_a_package_of_another_architecture_than_the_lock_says_is_refused(mirror: Mirror) -> None:
    now = mirror.make("2", on=("all",))
    make_repository(mirror.root, now)
    with pytest.raises(ConfigError, match="apt brought no zlib1g for amd64") as refused:
        mirror.relock(lock_text([replace(now[0], version="1", architecture="amd64")]))
    assert refused.value.why == ("it brought zlib1g for all",)


def test_packages_of_another_suite_are_not_asked_for(tmp_path: Path) -> None:
    """A lock of two suites at once would be a system that nobody has tested."""
    store = Store(tmp_path / "store")
    tools = toolbox(store, tmp_path / "log.txt", {})
    text = 'suite = "potato"\npython = "3.11"\nbase = []\npackage = []\n'
    with pytest.raises(ConfigError, match="packages are of potato, and this machine is not"):
        anyio.run(relock_debian, tools, store, text, print)


COMMENTED = """\
# Ours.
suite = "bookworm"  # 12
python = "3.11"
base = [
    "zlib1g",  # the interpreter's
]

# Held: see the ticket.
[[package]]
name = "zlib1g"
# One of two.
architecture = "amd64"
version = '1'  # the old one
sha256 = "{old}"
size = 1_000
path = "debian/pool/a.deb"
libraries = [
    "libz.so.1",
]

# The end.
"""


def test_comments_and_layout_of_a_debian_lock_stay() -> None:
    text = COMMENTED.replace("{old}", "0" * 64)
    (package,) = Lock.parse(text).packages
    moved = replace(package, version="1:2", digest=replace(package.digest, hex="1" * 64), size=2, source="zlib")
    assert debian_lock.rewrite(text, {("zlib1g", "amd64"): moved}) == (
        text.replace("'1'", '"1:2"')
        .replace("0" * 64, "1" * 64)
        .replace("1_000", "2")
        .replace("]\n\n# The end.", ']\nsource = "zlib"\n\n# The end.')
    )


def test_what_is_new_of_a_package_stands_above_a_comment_that_is_of_the_next() -> None:
    text = f"{COMMENTED.replace('{old}', '0' * 64)}{ENTRY}"
    first, second = Lock.parse(text).packages
    now = [replace(first, version="2", source="aa"), replace(second, libraries=("libz.so.2",), source="zlib")]
    changed = debian_lock.rewrite(text, {(each.name, each.architecture): each for each in now})
    assert Lock.parse(changed).packages == tuple(now)
    assert 'libraries = ["libz.so.2"]\nsource = "zlib"\n\n# The end.\n[[package]]\nname = "aa"\n' in changed


ENTRY = f"""\
[[package]]
name = "aa"
architecture = "all"
version = "1"
sha256 = "{"0" * 64}"
size = 1
path = "a"
"""
INLINE = f"package = [{{{', '.join(ENTRY.splitlines()[1:])}}}]\n"
HEAD = 'suite = "bookworm"\npython = "3.11"\nbase = []\n[[package]]\n'


@pytest.mark.parametrize(
    "text",
    ["<<<<<<< HEAD\n", f'{HEAD}architecture = "all"\n', f'{HEAD}name = "a"\narchitecture = "all"\nversion = "1"\n'],
    ids=["no TOML", "no name", "a version without its sha256"],
)
def test_a_lock_that_cannot_be_read_is_refused_with_what_it_needs(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as refused:
        debian_lock.read(text)
    assert "each [[package]] a name and an architecture" in refused.value.remedy


@pytest.mark.parametrize(
    "written",
    [ENTRY, ENTRY.replace("[[package]]", '[[ "package" ]]'), ENTRY.replace("version", '"version"'), INLINE],
    ids=["tables", "a name in quotes", "a key in quotes", "in a line"],
)
def test_a_lock_is_changed_in_whatever_form_it_is_written(written: str) -> None:
    text = f'suite = "bookworm"\npython = "3.11"\nbase = []\n{written}'
    (package,) = Lock.parse(text).packages
    changed = debian_lock.rewrite(text, {("aa", "all"): replace(package, version="2")})
    assert changed == text.replace('"1"', '"2"')


def test_a_lock_whose_form_cannot_be_kept_is_refused_and_not_half_changed() -> None:
    text = f'suite = "bookworm"\npython = "3.11"\nbase = []\nother = {"[" * 200}{"]" * 200}\n{ENTRY}'
    (package,) = Lock.parse(text).packages
    with pytest.raises(ConfigError, match="cannot be changed in its place"):
        debian_lock.rewrite(text, {("aa", "all"): replace(package, version="2")})
