"""The image holds what the service needs and nothing else, says so truly, and is the same bytes everywhere."""

import base64
import csv
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.engine.run import Run
from shipseal.errors import ConfigError, SubjectFailed, UsageError
from shipseal.image.bytecode import Interpreter, Job, start, this_platform
from shipseal.image.tree import Component, Tree, unpack_deb
from shipseal.locked.debian import Lock
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.oci.platform_image import Built
from shipseal.project.config import HOME
from shipseal.runtime import BOOKWORM
from shipseal.tools.toolbox import Toolbox
from tests.stages.services import FILES, PROGRAM, SERVER, Service

SITE = BOOKWORM.site

APP = "greet.py"
CALLABLE = 'callable = "greet:app"'


@dataclass(frozen=True)
class Made:
    """An image of a service that is nothing special: its run, image.json, and its files as a runtime unpacks them."""

    run: Run
    document: dict[str, Any]
    root: Path

    @property
    def layout(self) -> Path:
        """Where the OCI layout is."""
        return self.run.directory / "image" / "layout"


@pytest.fixture(scope="module")
def plain(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Give an image that tests only read."""
    directory = tmp_path_factory.mktemp("plain")
    run = Service().run(store, directory / "project")
    document = anyio.run(Service().image, run)
    built(run, document).unpack(directory / "root")
    return Made(run, document, directory / "root")


def built(run: Run, document: dict[str, Any], platform: str = "linux/amd64") -> Built:
    digest = Digest.parse(document["platforms"][platform]["digest"])
    return Built.read(Layout(run.directory / "image/layout"), digest)


def paths_of(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_symlink() or path.is_file()}


def listed(document: dict[str, Any], platform: str = "linux/amd64") -> set[str]:
    entry = document["platforms"][platform]
    return {path for package in entry["packages"] for path in package["files"]} | set(entry["generated"])


def test_every_file_is_listed_with_the_package_that_it_is_from_and_nothing_else_is_there(plain: Made) -> None:
    assert paths_of(plain.root) == listed(plain.document)
    assert len(listed(plain.document)) == plain.document["platforms"]["linux/amd64"]["files"]


def test_there_is_no_shell_no_package_manager_and_nothing_that_raises_rights_or_can_be_written(plain: Made) -> None:
    root = plain.root
    programs = {path for path in paths_of(root) if (root / path).stat().st_mode & 0o111}
    assert programs == {
        "usr/bin/python3.11",
        "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        "lib64/ld-linux-x86-64.so.2",
        "lib/x86_64-linux-gnu/libc.so.6",
    }
    modes = {stat.S_IMODE(path.lstat().st_mode) for path in root.rglob("*") if not path.is_symlink()}
    assert modes == {0o644, 0o755}


def test_the_layers_hold_nothing_that_is_not_listed_and_nothing_dangerous(plain: Made) -> None:
    entry, layout = plain.document["platforms"]["linux/amd64"], Layout(plain.layout)
    members: dict[str, tarfile.TarInfo] = {}
    for layer in entry["layers"]:
        with tarfile.open(layout.blob(Digest.parse(layer["digest"]))) as archive:
            members |= {member.name: member for member in archive if not member.isdir() or member.name not in members}
    files = {name for name, member in members.items() if not member.isdir()}
    assert files == listed(plain.document)
    assert {member.mode for member in members.values() if not member.issym()} == {0o644, 0o755}, "no setuid, no setgid"
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}
    assert not [name for name, member in members.items() if not (member.isfile() or member.isdir() or member.issym())]
    assert not files & {"bin/sh", "usr/bin/sh", "usr/bin/dpkg", "usr/bin/apt", "usr/bin/pip", "usr/bin/pip3"}


def test_it_is_smaller_than_five_megabytes(plain: Made) -> None:
    assert plain.document["platforms"]["linux/amd64"]["size"] < 5_000_000


def run_inside(root: Path, code: str) -> str:
    """Run code by the image's interpreter, with its own loader and libraries, and return what it prints."""
    command = [*start(root, "amd64"), "-I", "-B", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_standard_library_has_no_docstrings(plain: Made) -> None:
    code = "import socket; print(socket.__doc__, socket.create_server.__doc__, socket.socket.accept.__doc__)"
    assert run_inside(plain.root, code) == "None None None\n"


async def test_a_compiled_file_without_docstrings_differs_in_nothing_else(
    store: Store, plain: Made, tmp_path: Path
) -> None:
    tree = Tree(tmp_path / "root")
    lock = Lock.parse(plain.run.config.image.package_lock.read_text())
    for package in lock.select(here := this_platform(["linux/amd64", "linux/arm64"])):
        component = Component("deb", package.name, package.version, package.architecture)
        unpack_deb(tree, store.get(package.digest), component)
    source = tmp_path / "sample.py"
    source.write_text(SAMPLE)
    interpreter = Interpreter(Toolbox(store, {}, frozenset(), tmp_path / "log"), tree.root, here.removeprefix("linux/"))
    jobs = [
        Job(source, tmp_path / "whole", "/sample.py"),
        Job(source, tmp_path / "bare", "/sample.py", documented=False),
    ]
    assert not await interpreter.compile(jobs, tmp_path / "listing")
    told = [await executed(tree.root, here.removeprefix("linux/"), job.target) for job in jobs]
    assert told == [f"('It is documented.', 'So is it.', 'And it.', {LINES})\n", f"(None, None, None, {LINES})\n"]


async def executed(root: Path, architecture: str, code: Path) -> str:
    """Execute a file of byte code, and return what `told` in it tells."""
    reading = (
        "import marshal, sys; n = {}; exec(marshal.loads(open(sys.argv[1], 'rb').read()[16:]), n); print(n['told']())"
    )
    command = [*start(root, architecture), "-I", "-B", "-c", reading, str(code)]
    return (await anyio.run_process(command)).stdout.decode()


SAMPLE = '''"""It is documented."""

def told():
    """So is it."""
    return globals().get('__doc__'), told.__doc__, Told.__doc__, (told.__code__.co_firstlineno, failed())

class Told:
    """And it."""

def failed():
    try:
        assert False
    except AssertionError as error:
        return error.__traceback__.tb_lineno
'''
LINES = (3, 12)


def test_the_records_of_debian_packages_are_true(plain: Made) -> None:
    root = plain.root
    records = root / "var/lib/dpkg/status.d"
    summed = set()
    for sums in records.glob("*.md5sums"):
        subprocess.run(["md5sum", "--check", "--strict", "--quiet", sums], cwd=root, check=True)
        summed |= {line.split("  ", 1)[1] for line in sums.read_text().splitlines()}
        assert b"Trimmed: " in (records / sums.stem).read_bytes()
    links = {path for path in paths_of(root) if (root / path).is_symlink()}
    own = {path for path in paths_of(root) if path.startswith((SITE, "var/lib/dpkg"))} | {"etc/passwd", "etc/group"}
    assert paths_of(root) - links - own == summed


def test_the_record_of_a_wheel_is_true(plain: Made) -> None:
    root = plain.root
    (record,) = (root / SITE).glob("*.dist-info/RECORD")
    rows = {path: (digest, size) for path, digest, size in csv.reader(record.read_text().splitlines())}
    assert rows.keys() == paths_of(root / SITE)
    for path, (digest, size) in rows.items():
        if path != record.relative_to(root / SITE).as_posix():
            content = (root / SITE / path).read_bytes()
            expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (f"sha256={expected}", str(len(content))) == (digest, size)


def test_it_says_what_it_is_and_neither_revision_nor_time(plain: Made) -> None:
    found = built(plain.run, plain.document)
    names = {name.rpartition(".")[2] for name in found.configuration.as_json()["Labels"]}
    assert names == {"title", "version", "name", "packages", "format"}
    assert found.configuration.as_json()["User"] == "65532:65532"
    assert found.entrypoint == ("/usr/bin/python3.11", "-I", "-B", "-m", "sample")


async def test_the_layout_lists_the_index_alone_and_platforms_share_the_layer_of_the_service(
    store: Store, tmp_path: Path
) -> None:
    service = Service(platforms=("linux/amd64", "linux/arm64"))
    run = service.run(store, tmp_path / "both")
    document = await service.image(run)
    layout = Layout(run.directory / "image/layout")
    assert [entry["digest"] for entry in layout.listed()] == [document["digest"]]
    _, platforms = layout.image(Digest.parse(document["digest"]))
    assert [platform.name for platform in platforms] == ["linux/amd64", "linux/arm64"]
    assert document["reference"] == f"registry.example/acme/sample@{document['digest']}"
    layout.check_image(Digest.parse(document["digest"]))
    amd64, arm64 = (document["platforms"][name]["layers"] for name in service.platforms)
    assert [layer["name"] for layer in amd64] == ["runtime", "service"]
    assert amd64[0] != arm64[0]
    assert amd64[1] == arm64[1]


async def test_one_changed_line_of_the_service_changes_one_small_layer(store: Store, tmp_path: Path) -> None:
    changed = Service(files={**FILES, "sample/server.py": FILES["sample/server.py"] + "\nx = 1\n"})
    run = Service().run(store, tmp_path / "before")
    before = (await Service().image(run))["platforms"]["linux/amd64"]["layers"]
    runtime = run.directory / "image/layout/blobs/sha256" / before[0]["digest"].partition(":")[2]
    inode = runtime.stat().st_ino
    after = (await changed.image(run))["platforms"]["linux/amd64"]["layers"]
    assert before[0] == after[0]
    assert runtime.stat().st_ino == inode, "it was written again"
    assert before[1]["digest"] != after[1]["digest"]
    assert after[1]["size"] < 8192


async def test_an_image_with_layers_that_were_taken_over_is_the_image_without_them(
    store: Store, tmp_path: Path
) -> None:
    settings = {"image": 'runtime = "full"'}
    run = Service(settings=settings, waitress=True).run(store, tmp_path / "again")
    await Service(settings=settings, waitress=True).image(run)
    changed = Service(files={**FILES, "sample/more.py": "x = 1"}, settings=settings, waitress=True)
    await changed.image(run)
    fresh = changed.run(store, tmp_path / "fresh")
    await changed.image(fresh)
    names = ("image.json", "closure.json", "layers.json", "keep.toml", "layout/index.json")
    for name in names:
        assert (run.directory / "image" / name).read_bytes() == (fresh.directory / "image" / name).read_bytes(), name


async def test_a_full_runtime_takes_no_layer_over_that_was_written_without_sources(
    store: Store, tmp_path: Path
) -> None:
    full = Service(settings={"image": 'runtime = "full"'})
    await Service().image(Service().run(store, tmp_path / "again"))
    document = await full.image(full.run(store, tmp_path / "again"))
    assert f"{SITE}/sample/server.py" in listed(document)


def test_another_writer_takes_no_layer_over(store: Store, tmp_path: Path) -> None:
    """A copy of the pipeline with one line changed goes on in the run directory of this one."""
    run = Service().run(store, tmp_path / "project")
    before = anyio.run(Service().image, run)
    for name in ("shipseal", "image", "policy", "tools"):
        shutil.copytree(HOME / name, tmp_path / "other" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(HOME / "requirements.lock", tmp_path / "other" / "requirements.lock")
    writer = tmp_path / "other" / "shipseal" / "image" / "rootfs.py"
    writer.write_text(writer.read_text().replace("/sbin/nologin", "/sbin/nobody"))
    subprocess.run(
        [sys.executable, "-m", "shipseal", "stage", "image", "--run-dir", run.directory, "--store", store.root],
        cwd=run.config.root,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "other")},
        check=True,
        timeout=120,
    )
    after = json.loads((run.directory / "image" / "image.json").read_bytes())
    built(run, after).unpack(tmp_path / "root")
    assert "/sbin/nobody" in (tmp_path / "root" / "etc" / "passwd").read_text()
    assert before["digest"] != after["digest"]


async def test_one_changed_line_of_the_service_pushes_one_small_layer_and_no_other_is_touched(
    store: Store, tmp_path: Path, locked: dict[str, Digest]
) -> None:
    changed = Service(files={**FILES, "sample/server.py": FILES["sample/server.py"] + "\nx = 1\n"})
    run = Service().run(store, tmp_path / "project", locked)
    held: list[dict[str, os.stat_result]] = []
    for service in (Service(), changed):
        document = await service.image(run)
        tools = Toolbox(store, locked, frozenset({"olareg", "oras"}), tmp_path / "log")
        files = tmp_path / "registry"
        files.mkdir(exist_ok=True)
        async with run.world.registry(tools, files, writable=True) as registry:
            await registry.push(run.directory / "image/layout", Digest.parse(document["digest"]))
        held.append({path.name: path.stat() for path in files.rglob("blobs/sha256/*")})
    before, after = held
    assert {name: (s.st_ino, s.st_mtime_ns) for name, s in before.items()} == {
        name: (after[name].st_ino, after[name].st_mtime_ns) for name in before
    }
    new = {name: after[name].st_size for name in after.keys() - before.keys()}
    assert len(new) == 4, "a layer, a configuration, a manifest, an index"
    assert sum(new.values()) < 8192


@pytest.mark.parametrize(
    ("umask", "environment"),
    [
        ("000", {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"}),
        ("077", {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "4294967295", "SOURCE_DATE_EPOCH": "1"}),
    ],
)
def test_it_is_the_same_whatever_this_machine_is_set_to(
    plain: Made, tmp_path: Path, umask: str, environment: dict[str, str]
) -> None:
    elsewhere = tmp_path / "else where" / umask
    shutil.copytree(plain.run.config.root, elsewhere, ignore=shutil.ignore_patterns("image"))
    for path in elsewhere.rglob("*"):
        os.utime(path, (1, 1))
    subprocess.run(
        [
            *("sh", "-c", f'umask {umask} && exec "$0" -m shipseal stage image --run-dir .run --store "$1"'),
            *(sys.executable, plain.run.store.root),
        ],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(HOME), **environment},
        check=True,
        timeout=120,
    )
    found = json.loads((elsewhere / ".run/image/image.json").read_bytes())
    assert found["digest"] == plain.document["digest"]


async def test_byte_code_is_the_same_from_one_process_for_all_and_from_one_for_each(
    store: Store, plain: Made, tmp_path: Path
) -> None:
    tree = Tree(tmp_path / "root")
    lock = plain.run.config.image.package_lock.read_text()
    for package in Lock.parse(lock).select(here := this_platform(["linux/amd64", "linux/arm64"])):
        component = Component("deb", package.name, package.version, package.architecture)
        unpack_deb(tree, store.get(package.digest), component)
    tools = Toolbox(store, {}, frozenset(), tmp_path / "log")
    interpreter = Interpreter(tools, tree.root, here.removeprefix("linux/"))
    sources = [tree.root / "usr/lib/python3.11" / name for name in ("enum.py", "re/_parser.py", "socket.py", "os.py")]
    every = [Job(path, tmp_path / f"all-{number}", f"/{path.name}") for number, path in enumerate(sources)]
    each = [Job(path, tmp_path / f"one-{number}", f"/{path.name}") for number, path in enumerate(sources)]
    assert not await interpreter.compile(every, tmp_path / "listing")
    for job in each:
        assert not await interpreter.compile([job], tmp_path / "listing")
    assert [job.target.read_bytes() for job in every] == [job.target.read_bytes() for job in each]


async def test_a_new_import_is_refused_until_the_reviewed_list_names_it(store: Store, tmp_path: Path) -> None:
    keeping = {"image": 'keep = "keep.toml"'}
    run = Service(settings=keeping).run(store, tmp_path / "kept")
    with pytest.raises(ConfigError, match=r"there is no keep\.toml"):
        await Service(settings=keeping).image(run)
    shutil.copyfile(run.directory / "image.part" / "keep.toml", tmp_path / "kept" / "keep.toml")
    await Service(settings=keeping).image(run)
    more = Service(
        files={**FILES, "sample/server.py": "import colorsys\n" + FILES["sample/server.py"]}, settings=keeping
    )
    with pytest.raises(SubjectFailed, match="1 more, 0 less") as caught:
        await more.image(run)
    assert caught.value.why == ('add to standard: "colorsys",  # imported by sample.server',)


async def test_a_module_of_the_service_that_nobody_imports_is_left_out(store: Store, tmp_path: Path) -> None:
    service = Service(files={**FILES, "sample/unused.py": ""})
    document = await service.image(service.run(store, tmp_path / "unused"))
    names = {Path(path).name for path in listed(document)}
    assert "server.pyc" in names
    assert "unused.pyc" not in names
    assert not [path for path in listed(document) if path.endswith(".py")]


async def test_what_the_configuration_asks_for_is_there(store: Store, tmp_path: Path) -> None:
    service = Service(
        files={**FILES, "sample/named.py": "import colorsys", "elsewhere/words.json": "[]"},
        settings={
            "image": 'modules = ["sample.named"]\npackage-data = ["elsewhere/*.json"]\n'
            'extra-packages = ["base-files"]\nsource = "https://git.example/sample"\nlicenses = "MIT"',
            "service": 'environment = { COLOUR = "red" }\nport = 9000',
        },
    )
    run = service.run(store, tmp_path / "more")
    document = await service.image(run)
    assert {f"{SITE}/sample/named.pyc", "usr/lib/python3.11/colorsys.pyc", f"{SITE}/elsewhere/words.json"} <= listed(
        document
    )
    assert "etc/debian_version" in listed(document), "extra packages are kept whole"
    found = built(run, document)
    assert found.environment == {"PATH": "/usr/bin", "COLOUR": "red"}
    assert list(found.configuration.as_json()["ExposedPorts"]) == ["9000/tcp"]
    assert found.configuration.as_json()["Labels"]["org.opencontainers.image.source"] == "https://git.example/sample"


MAKER = "import sys, types\nsys.modules[__name__ + '.made'] = types.ModuleType('made')\n"
UNSEEN = r"""
import codecs, json
import sample.maker.made
print(rb"\u263a".decode("unicode-escape") == chr(0x263a), codecs.encode(b"a", "hex"))
print(json.loads("[1]".encode("utf-16-be")), "a".encode("Windows-1252"))
"""


async def test_codecs_and_modules_that_no_file_shows_are_there_when_the_image_runs(
    store: Store, tmp_path: Path
) -> None:
    more = {"sample/server.py": f"{SERVER}\nimport sample.unseen", "sample/unseen.py": UNSEEN, "sample/maker.py": MAKER}
    service = Service(files={**PROGRAM, **more})
    run = service.run(store, tmp_path / "unseen")
    document = await service.image(run)
    built(run, document).unpack(tmp_path / "root")
    assert run_inside(tmp_path / "root", "import sample.server") == "True b'61'\n[1] b'a'\n"
    found = json.loads((run.directory / "image" / "closure.json").read_bytes())["linux/amd64"]
    assert found["made"] == {"sample.maker.made": "sample.maker"}


async def test_a_full_runtime_is_not_refused_for_what_is_nowhere(store: Store, tmp_path: Path) -> None:
    service = Service(
        files={**FILES, "sample/server.py": f"{SERVER}\nimport nowhere.at_all"}, settings={"image": 'runtime = "full"'}
    )
    run = service.run(store, tmp_path / "full")
    await service.image(run)
    found = json.loads((run.directory / "image" / "closure.json").read_bytes())["linux/amd64"]
    assert found["left_out"]["nowhere"] == "sample.server, line 13, and it is nowhere"


async def test_a_full_runtime_keeps_packages_whole_and_sources_beside_their_byte_code(
    store: Store, tmp_path: Path
) -> None:
    service = Service(files={**FILES, "sample/unused.py": ""}, settings={"image": 'runtime = "full"'})
    document = await service.image(service.run(store, tmp_path / "full"))
    assert {
        f"{SITE}/sample/unused.py",
        f"{SITE}/sample/__pycache__/unused.cpython-311.pyc",
        "usr/lib/python3.11/asyncio/base_events.py",
        "usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so",
    } <= listed(document)


async def test_a_callable_is_served_by_the_waitress_of_its_lock(store: Store, tmp_path: Path) -> None:
    service = Service(files={APP: "def app(environ, start): ..."}, start=CALLABLE, waitress=True)
    document = await service.image(service.run(store, tmp_path / "callable"))
    assert {f"{SITE}/serve_callable.pyc", f"{SITE}/waitress/server.pyc", f"{SITE}/greet.pyc"} <= listed(document)
    assert [layer["name"] for layer in document["platforms"]["linux/amd64"]["layers"]] == [
        "runtime",
        "wheels",
        "service",
    ]


@pytest.mark.parametrize(
    ("service", "error", "message"),
    [
        (Service(files={APP: ""}, start=CALLABLE), SubjectFailed, "there is no module waitress"),
        (Service(files={**PROGRAM}), SubjectFailed, "there is no module sample.server"),
        (Service(files={**FILES, "sample/server.py": "import ssl"}), SubjectFailed, "2 shared libraries are missing"),
        (
            Service(files={**FILES, "sample/later.py": "def (:"}),
            SubjectFailed,
            r"sample/later.py:1 is not valid Python",
        ),
        (Service(files={**FILES, "sample/server.py": "type X = int"}), SubjectFailed, r"sample/server.py"),
        (Service(start='command = ["gunicorn", "sample"]'), ConfigError, "cannot start gunicorn sample"),
        (Service(tag="cp311-cp311-manylinux_2_17_aarch64"), SubjectFailed, "does not fit linux/amd64"),
        (Service(settings={"image": 'extra-packages = ["no-such"]'}), ConfigError, "has no no-such"),
        (Service(settings={"image": 'modules = ["no.such"]'}), SubjectFailed, "there is no module no"),
    ],
)
async def test_what_cannot_be_an_image_is_refused_by_name_and_nothing_is_left(
    store: Store, tmp_path: Path, service: Service, error: type[Exception], message: str
) -> None:
    run = service.run(store, tmp_path / "bad")
    with pytest.raises((error, ExceptionGroup)) as caught:
        await service.image(run)
    (failure,) = caught.value.exceptions if isinstance(caught.value, ExceptionGroup) else (caught.value,)
    assert isinstance(failure, error)
    assert re.search(message, str(failure))
    assert not (run.directory / "image").exists()


async def test_a_machine_whose_platform_is_not_among_those_asked_for_is_told_so(store: Store, tmp_path: Path) -> None:
    here = this_platform(["linux/amd64", "linux/arm64"])
    other = "linux/arm64" if here == "linux/amd64" else "linux/amd64"
    service = Service(platforms=(other,))
    with pytest.raises(UsageError, match=f"no image for {other} can be made on {here}"):
        await service.image(service.run(store, tmp_path / "other"))


async def test_materials_are_the_packages_and_wheels_that_went_in(store: Store, tmp_path: Path) -> None:
    service = Service(files={APP: ""}, start=CALLABLE, waitress=True)
    run = service.run(store, tmp_path / "materials")
    await service.image(run)
    names = {
        name.partition("@")[0] for name in json.loads((run.directory / "image/record.json").read_bytes())["materials"]
    }
    assert names == {f"pkg:deb/debian/{name}" for name in _base(run)} | {"pkg:pypi/waitress"}


def _base(run: Run) -> tuple[str, ...]:
    return Lock.parse(run.config.image.package_lock.read_text()).base
