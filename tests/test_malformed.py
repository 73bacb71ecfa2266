"""Whatever a document between two stages has become, with its record: the next stage says what is wrong, and no bug.

The documents are those of a real run. The store is empty, so that a stage which takes a document ends, as it should, at
the first tool or wheel that it asks for: what is tried here is all that comes before.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.documents.image import ImageDocument
from shipseal.engine.record import Record, products
from shipseal.engine.run import Run
from shipseal.engine.run_contents import Untouched
from shipseal.engine.table import TABLE
from shipseal.engine.world import choose
from shipseal.errors import ShipsealError, VerificationFailed, flatten
from shipseal.locked.store import Store
from shipseal.project.config import Config
from tests.commands import Ended
from tests.conftest import NOW

pytestmark = pytest.mark.timeout(300)

FOREIGN = {
    *("image/layout/index.json", "attest/layout/index.json", "scan/grype.json"),
    *("sbom/linux-amd64/sbom.cdx.json", "sbom/linux-amd64/sbom.spdx.json"),
}
READERS = {
    "facts/facts.json": ("attest",),
    "tools/tools.json": ("attest",),
    "inputs/inputs.json": ("build", "test", "image"),
    "image/image.json": ("smoke", "sbom", "scan", "vex", "assess", "attest", "publish", "promote", "deploy"),
    "image/layout/index.json": ("smoke", "sbom", "vex", "attest"),
    "image/closure.json": ("vex",),
    "image/offered.json": ("vex",),
    "smoke/smoke.json": (),
    "smoke/trace.json": ("vex",),
    "sbom/linux-amd64/sbom.cdx.json": ("scan",),
    "sbom/linux-amd64/sbom.spdx.json": ("attest",),
    "scan/grype.json": ("vex", "assess", "attest"),
    "scan/database.json": ("vex", "assess", "attest"),
    "scan/imported.json": ("vex",),
    "vex/openvex.json": ("attest",),
    "vex/evidence.json": ("assess",),
    "assess/verdict.json": ("admit", "attest"),
    "attest/layout/index.json": ("publish",),
    "publish/receipt.json": ("verify", "promote"),
    "verify/verification.json": ("promote", "deploy"),
    "promote/tags.json": (),
    "deploy/receipt.json": (),
}
TOLD = sorted(name for name in READERS if name.count("/") == 1 and "sbom" not in name)
OTHERS: tuple[Any, ...] = (None, True, 5, "x", [], {}, [5], {"x": 5})
MUTATIONS = 12
ROWS = {row.name: row for row in TABLE}
# What other programs write has keys that nobody here knows; of the rest an older pipeline had others.
OURS = {name: stages[0] for name, stages in READERS.items() if stages and name not in FOREIGN}

RunStage = Callable[[str], BaseException | None]


@pytest.fixture
def project(finished: tuple[Path, Ended], tmp_path: Path) -> Path:
    """Give a copy of a project with a finished dry run."""
    root, ended = finished
    assert ended.code == 0, ended.output
    return Path(shutil.copytree(root, tmp_path / "greetings", symlinks=True))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a document, as what holds it and its key or index."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from places(inner)


def mutations(document: Any, seed: str) -> Iterator[Any]:
    """Yield the document changed in one place each time, the same places for the same name."""
    chance = random.Random(seed)
    yield from ([], {}, None)
    for _ in range(MUTATIONS):
        changed = deepcopy(document)
        # Choose by depth first: the few keys on top matter more than the many leaves of a list.
        where = list(places(changed))
        holder, key = chance.choice(where[: 6 if chance.random() < 0.5 else len(where)])
        match chance.randrange(3):
            case 0:
                del holder[key]
            case 1:
                holder[key] = type(holder[key])()
            case _:
                holder[key] = chance.choice([other for other in OTHERS if type(other) is not type(holder[key])])
        yield changed


def rewrite(run_dir: Path, name: str, value: Any) -> None:
    """Write a document, and the record of its stage so that it fits."""
    (run_dir / name).write_text(json.dumps(value))
    stage = run_dir / name.partition("/")[0]
    replace(Record.read(stage), products=products(stage)).write(stage)


@pytest.fixture
def of_it(project: Path, tmp_path: Path, locked: dict[str, Digest]) -> Run:
    """Give a run that goes on with what is there. It digests the pipeline's own code once."""
    config = Config.load(project / "pipeline.toml")
    store = Store(tmp_path / "empty")
    return Run(project / ".run", config, store, locked, choose("dry-run", config), clock=lambda: NOW)


@pytest.fixture
def run_stage(of_it: Run) -> RunStage:
    """Give a function that runs one stage in this process, and returns what it raised."""

    def run(stage: str) -> BaseException | None:
        try:
            anyio.run(of_it.perform, ROWS[stage])
        except Exception as error:
            return flatten(error)[0]
        return None

    return run


@pytest.mark.parametrize(
    ("name", "stage"), [(name, stage) for name, stages in READERS.items() for stage in stages], ids=str
)
def test_a_document_of_another_shape_never_ends_as_a_bug(
    name: str, stage: str, project: Path, run_stage: RunStage
) -> None:
    document = json.loads((project / ".run" / name).read_bytes())
    for number, value in enumerate(mutations(document, f"{name} {stage}")):
        rewrite(project / ".run", name, value)
        failure = run_stage(stage)
        assert failure is None or isinstance(failure, ShipsealError), (number, value)
        if number < 2:  # nothing at all is in it
            assert isinstance(failure, VerificationFailed), (number, value)


@pytest.mark.parametrize("name", TOLD)
def test_the_report_tells_a_document_of_any_shape(name: str, project: Path, run_stage: RunStage) -> None:
    document = json.loads((project / ".run" / name).read_bytes())
    for number, value in enumerate(mutations(document, f"{name} told")):
        rewrite(project / ".run", name, value)
        assert run_stage("report") is None, (number, value)


def test_a_platform_that_the_image_has_not_is_no_place_where_its_tests_ran(project: Path, run_stage: RunStage) -> None:
    shutil.copyfile(project / ".run" / "test" / "junit.xml", project / ".run" / "smoke" / "junit.xml")
    values: tuple[Any, ...] = ({"platform": "linux/riscv64"}, {"platform": 5}, [])
    for value in values:
        rewrite(project / ".run", "smoke/smoke.json", value)
        assert isinstance(run_stage("attest"), VerificationFailed), value


@pytest.mark.parametrize("stage", ["smoke", "sbom", "vex", "attest"])
def test_a_layout_that_lists_no_image_is_refused(stage: str, project: Path, run_stage: RunStage) -> None:
    rewrite(project / ".run", "image/layout/index.json", {"schemaVersion": 2, "manifests": []})
    failure = run_stage(stage)
    assert isinstance(failure, VerificationFailed)
    assert "does not list the image" in failure.what


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"digest": "\\ud800"}'])
def test_what_is_no_json_is_refused(content: bytes, project: Path, run_stage: RunStage) -> None:
    (project / ".run" / "verify" / "verification.json").write_bytes(content)
    verify = project / ".run" / "verify"
    replace(Record.read(verify), products=products(verify)).write(verify)
    assert isinstance(run_stage("deploy"), VerificationFailed)


@pytest.mark.parametrize(
    ("name", "stage"),
    [("test/junit.xml", "attest"), ("image/image.json", "sbom"), ("image/layout/index.json", "smoke")],
)
def test_a_document_that_is_gone_is_named(name: str, stage: str, project: Path, run_stage: RunStage) -> None:
    (project / ".run" / name).unlink()
    left = project / ".run" / name.partition("/")[0]
    replace(Record.read(left), products=products(left)).write(left)
    failure = run_stage(stage)
    assert isinstance(failure, VerificationFailed)
    assert name.rpartition("/")[0] in f"{failure.what}"


def test_a_layer_that_image_json_names_and_nobody_wrote_is_named(project: Path, run_stage: RunStage) -> None:
    image = json.loads((project / ".run" / "image" / "image.json").read_bytes())
    image["platforms"]["linux/amd64"]["layers"][0]["digest"] = str(Digest.of(b"another"))
    rewrite(project / ".run", "image/image.json", image)
    failure = run_stage("vex")
    assert isinstance(failure, VerificationFailed)
    assert str(Digest.of(b"another")) in failure.what


def _is_named(document: dict[str, Any]) -> bool:
    """Say whether the keys of a document are names, of platforms or of tools: those of its parts are known then."""
    return "wheels" not in document and all(isinstance(each, dict) for each in document.values())


def lacking(document: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a document as a version had it that did not know one of its keys, and that key."""
    named = _is_named(document)
    first, inner = next(iter(document.items()))
    key = next(iter(inner)) if named else first
    changed = {first: {each: value for each, value in inner.items() if each != key}} if named else {}
    return {**{each: value for each, value in document.items() if named or each != key}, **changed}, key


def having(document: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a document as a version had it that knew one key more, and that key."""
    named = _is_named(document)
    first, inner = next(iter(document.items()))
    return {**document, **({first: {**inner, "unheard-of": 1}} if named else {"unheard-of": 1})}, "unheard-of"


@pytest.mark.parametrize("version", [lacking, having])
@pytest.mark.parametrize(("name", "stage"), OURS.items(), ids=str)
def test_a_document_of_another_version_is_refused_by_file_and_key(
    name: str, stage: str, version: Callable[[Any], tuple[Any, str]], project: Path, run_stage: RunStage
) -> None:
    changed, key = version(json.loads((project / ".run" / name).read_bytes()))
    rewrite(project / ".run", name, changed)
    failure = run_stage(stage)
    assert isinstance(failure, VerificationFailed)
    assert failure.what.startswith(f"{name} ")
    assert any(key in why for why in failure.why), failure.why


def test_a_stage_that_another_version_has_finished_is_done_again(project: Path, of_it: Run) -> None:
    image = project / ".run" / "image"
    assert of_it.kept(ROWS["image"])
    replace(Record.read(image), key=Digest.of(b"another code")).write(image)
    assert of_it.kept(ROWS["image"]) is None


def test_what_reads_an_old_run_outside_of_one_refuses_it_too(project: Path) -> None:
    changed, key = lacking(json.loads((project / ".run" / "image" / "image.json").read_bytes()))
    rewrite(project / ".run", "image/image.json", changed)
    with pytest.raises(VerificationFailed, match="has a shape that") as caught:
        ImageDocument.read(Untouched(project / ".run"))
    assert key in caught.value.why[0]
    (project / ".run" / "image" / "image.json").write_text("{}")
    with pytest.raises(VerificationFailed, match="was altered"):
        ImageDocument.read(Untouched(project / ".run"))
