"""Services made by hand, as `inputs` and `build` would leave them; and their images."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shipseal.digest import Digest
from shipseal.documents.inputs import InputsDocument, InputWheel
from shipseal.engine.run import Run
from shipseal.engine.stage import Context, Stage
from shipseal.engine.world import choose
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.project.config import HOME, Config
from shipseal.stages.image import image
from tests import archives
from tests.conftest import NOW

_made = tempfile.TemporaryDirectory(prefix="images-", ignore_cleanup_errors=True)

IMAGE = Stage("image", image, needs=("inputs", "build"), reads=("locks",))
LOCK = HOME / "service" / "requirements.lock"
TEST_LOCK = HOME / "service" / "requirements-test.lock"

SERVER = """
import signal, socket, sys

def main():
    listener = socket.create_server(("0.0.0.0", 8080))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nhello")
"""
PROGRAM = {"sample/__init__.py": "", "sample/__main__.py": "from sample.server import main\nmain()\n"}
FILES: Mapping[str, str] = {**PROGRAM, "sample/server.py": SERVER}


@dataclass(frozen=True)
class Service:
    """A service in the making.

    Args:
        files: what its wheel holds.
        settings: lines of pipeline.toml by section.
        start: how it starts, a line of pipeline.toml.
        tag: what its wheel says that it fits.
        waitress: whether the locked Waitress is among them.
        wheels: further locked wheels, each as inputs.json names it.
        tests: files of tests that run on the image; the test requirements are then those of the service of this
            repository.
    """

    files: Mapping[str, str] = field(default_factory=lambda: FILES)
    settings: Mapping[str, str] = field(default_factory=dict)
    start: str = 'command = ["-m", "sample"]'
    platforms: Sequence[str] = ("linux/amd64",)
    tag: str = "py3-none-any"
    waitress: bool = False
    wheels: Sequence[InputWheel] = ()
    tests: Mapping[str, str] = field(default_factory=dict)

    def run(self, store: Store, root: Path, locked: Mapping[str, Digest] | None = None) -> Run:
        """Return a run of it, in a project of its own, with the tools that are locked for this machine."""
        root.mkdir(parents=True, exist_ok=True)
        (root / "lock").touch()
        shutil.copyfile(TEST_LOCK, root / "test.lock")
        for name, source in self.tests.items():
            (root / "tests").mkdir(exist_ok=True)
            (root / "tests" / name).write_text(source)
        (root / "pipeline.toml").write_text(self._configuration())
        config = Config.load(root / "pipeline.toml")
        return Run(root / ".run", config, store, locked or {}, choose("dry-run", config), clock=lambda: NOW)

    def _configuration(self) -> str:
        sections = {
            "service": f'name = "sample"\nsource = "."\nlock = "lock"\nbuild-lock = "lock"\n{self.start}',
            "test": 'lock = "test.lock"\npaths = ["."]',
            "smoke": 'suite = ["tests"]\npackages = ["gcc-12-base", "libgcc-s1"]' if self.tests else "",
            "image": f'repository = "registry.example/acme/sample"\nplatforms = {json.dumps(list(self.platforms))}',
        }
        names = [*sections, *(name for name in self.settings if name not in sections)]
        parts = [f"[{name}]\n{sections.get(name, '')}\n{self.settings.get(name, '')}\n" for name in names]
        return "".join(parts)

    async def image(self, run: Run) -> dict[str, Any]:
        """Do all that leads to its image, and return image.json."""
        for stage in (*self.stages(), IMAGE):
            await run.perform(stage)
        found: dict[str, Any] = json.loads((run.directory / "image" / "image.json").read_bytes())
        return found

    async def image_once(self, run: Run) -> None:
        """Do the same with an image that is made once and copied from then on: the stages behind it cannot tell."""
        settings = {name: value for name, value in self.settings.items() if name not in {"smoke", "test"}}
        name = Digest.of(repr(replace(self, settings=settings, tests={})).encode()).hex
        done = Path(_made.name) / name
        for stage in self.stages():
            await run.perform(stage)
        if done.exists():
            shutil.copytree(done, run.directory / "image")
        else:
            await run.perform(IMAGE)
            shutil.copytree(run.directory / "image", done)

    def stages(self) -> tuple[Stage, Stage]:
        """Return stages that stand where `inputs` and `build` do."""

        async def inputs(context: Context) -> str:
            waitress = [_waitress(context.store)] if self.waitress else []
            locked = (*waitress, *self.wheels)
            wheels = {**_for_tests(context), **dict.fromkeys(self.platforms, locked)}
            InputsDocument(wheels=wheels, debian={}, tools={}).write(context)
            return "made by hand"

        async def build(context: Context) -> str:
            where = context.out / "wheels" / "service"
            where.mkdir(parents=True)
            archives.wheel(where, "sample", self.files, tag=self.tag)
            return "made by hand"

        return Stage("inputs", inputs), Stage("build", build)


def _for_tests(context: Context) -> Mapping[str, tuple[InputWheel, ...]]:
    """Return the locked wheels that tests need on an image, if there are tests."""
    every = Inputs.of(context.config)
    groups = tuple(group for group in every.wheels if group.name.startswith("suite/"))
    return replace(every, wheels=groups, packages={}, tools=()).listing(context.store).wheels


def _waitress(store: Store) -> InputWheel:
    """Return the locked Waitress as inputs.json names it."""
    words = LOCK.read_text().split()
    digests = [Digest.parse(word.removeprefix("--hash=")) for word in words if word.startswith("--hash=")]
    digest, name = next((each, name) for each in digests if (name := store.filename(each) or "").endswith(".whl"))
    return InputWheel(name="waitress", version=words[0].removeprefix("waitress=="), filename=name, digest=digest)
