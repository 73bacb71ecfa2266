"""One job builds without an identity, another signs what it can make again: and nothing else that it was given."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.engine.record import products
from shipseal.locked.store import Store
from tests.commands import Ended, flip
from tests.release.conftest import MakeProject
from tests.release.projects import REPOSITORY, Project
from tests.release.registries import INDEX, Served, olareg

pytestmark = pytest.mark.timeout(600)

UP_TO_THE_GATE = "facts,test,smoke,admit"


@pytest.fixture(scope="module")
def built(
    make_project: MakeProject, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Give a project whose image was built, tested and judged by a job without a token, for an empty registry."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("registry")) as registry:
        project = make_project(registry)
        ended = project.release("--to", UP_TO_THE_GATE, SIGSTORE_ID_TOKEN="")
        assert ended.code == 0, ended.output
        yield project


@pytest.fixture(scope="module")
def signer(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Give another machine with a checkout of the same commit, on which nothing has run."""
    place = tmp_path_factory.mktemp("signer")
    shutil.copytree(built.root, place / "greetings", symlinks=True, ignore=shutil.ignore_patterns(".run"))
    (place / "home").mkdir()
    shutil.copy(built.home / "signing.json", place / "home")  # it is that machine that knows the services
    return replace(built, root=place / "greetings", home=place / "home")


@pytest.fixture
def given(built: Project, tmp_path: Path) -> Path:
    """Give a copy of what the first job has left, as an artefact is unpacked."""
    return Path(shutil.copytree(built.run_dir, tmp_path / "given"))


def sign(signer: Project, given: Path, *words: str, **more: str) -> Ended:
    known = signer.home / "signing.json"
    return signer.run("sign", "--yes", "--run", given, "--signing-config", known, *words, **more)


def content(registry: Served) -> set[str]:
    """Return every file that a registry has."""
    return {str(path) for path in (registry.log.parent / "files").rglob("*") if path.is_file()}


def forge(stage: Path, **said: Any) -> None:
    """Have a record say what lies beside it now, as whoever has the first job can; `said` replaces more of it."""
    record = json.loads((stage / "record.json").read_bytes())
    record["products"] = {name: str(digest) for name, digest in products(stage).items()}
    (stage / "record.json").write_text(json.dumps({**record, **said}))


def change(path: Path, one: str, other: str) -> None:
    """Replace a text in a file, once."""
    text = path.read_text()
    assert one in text
    path.write_text(text.replace(one, other, 1))


def layer(given: Path) -> Path:
    """Return the blob of the image's first layer."""
    image = json.loads((given / "image" / "image.json").read_bytes())
    digest = str(image["platforms"]["linux/amd64"]["layers"][0]["digest"])
    return given / "image" / "layout" / "blobs" / digest.replace(":", "/")


def verdict(given: Path) -> None:
    path = given / "assess" / "verdict.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "excused": [], "noted": []}))


def another_file(given: Path) -> None:
    (given / "image" / "layout" / "blobs" / "sha256" / ("0" * 64)).write_bytes(b"more")
    forge(given / "image")


def sbom(given: Path) -> None:
    change(given / "sbom" / "linux-amd64" / "sbom.cdx.json", '"waitress"', '"waitless"')
    forge(given / "sbom")


def findings(given: Path) -> None:
    path = given / "scan" / "grype.json"
    reports = json.loads(path.read_bytes())
    assert reports["linux/amd64"]["matches"]
    reports["linux/amd64"]["matches"] = []
    path.write_text(json.dumps(reports))
    forge(given / "scan")


def excuses(given: Path) -> None:
    verdict(given)
    forge(given / "assess")


def statements(given: Path) -> None:
    path = given / "vex" / "openvex.json"
    document = json.loads(path.read_bytes())
    more = {"vulnerability": {"name": "CVE-2026-0001"}, "status": "fixed", "status_notes": "", "products": []}
    document["statements"].append(more)
    path.write_text(json.dumps(document))
    forge(given / "vex")


def commit(given: Path) -> None:
    path = given / "facts" / "facts.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "revision": "0" * 40}))
    forge(given / "facts")


def nested(given: Path) -> None:
    path = given / "facts" / "facts.json"
    deep = "[" * 900 + "]" * 900
    path.write_text(path.read_text().replace('"repository": ""', f'"repository": {deep}'))
    assert deep in path.read_text()
    forge(given / "facts")


def wheel(given: Path) -> None:
    """Put another wheel there, of the same name; the image that was given is still that of the first one."""
    (found,) = (given / "build" / "wheels" / "service").glob("*.whl")
    with found.open("ab") as file:
        file.write(b"\0")
    forge(given / "build")


def version(given: Path) -> None:
    (found,) = (given / "build" / "wheels" / "service").glob("*.whl")
    found.rename(found.with_name(found.name.replace("-1.0.0-", "-1.0.1-")))
    forge(given / "build")


def link(given: Path) -> None:
    path = given / "smoke" / "trace.json"
    path.unlink()
    path.symlink_to("/etc/hostname")


def huge(given: Path) -> None:
    os.truncate(given / "assess" / "verdict.json", 1 << 40)


def material(given: Path) -> None:
    forge(given / "build", materials={"pkg:pypi/evil@1": f"sha256:{'0' * 64}"})


def another_pipeline(given: Path) -> None:
    forge(given / "build", key=f"sha256:{'0' * 64}")


def dry_run(given: Path) -> None:
    forge(given / "test", world="dry-run")


ALTERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte of the image": (lambda given: flip(layer(given)), "image/layout/blobs/sha256/"),
    "a test result": (lambda given: change(given / "test" / "junit.xml", "testcase", "testcase "), "test/junit.xml"),
    "a verdict": (verdict, "assess/verdict.json was altered"),
    "a record": (lambda given: change(given / "test" / "record.json", '"stage"', '"stages"'), "is not a record"),
    "a stage that is not there": (lambda given: shutil.rmtree(given / "smoke"), "has not finished smoke"),
    "a file of nobody's": (lambda given: (given / "run.sh").touch(), "run.sh is in the given run"),
    "a file of nobody's in a stage": (lambda given: (given / "test" / "x").touch(), "test/x was added"),
    "a link that leads out": (link, "smoke/trace.json of the given run is not a file"),
    "a file without end": (huge, "too large, at assess/verdict.json"),
    "a dry run's": (dry_run, "test/record.json of the given run is of another stage or world"),
    "another commit": (commit, "facts/facts.json of the given run is not that of this checkout"),
    "facts without end": (nested, "repository: given a list, here ''"),
    "a material that no lock names": (material, "which no lock of this checkout names"),
    "another version": (version, "a wheel of version 1.0.1, and this checkout is 1.0.0"),
    "another wheel": (wheel, "image/layers.json of the given run is not what this job has made"),
    "another pipeline's": (another_pipeline, "build of the given run was not made from what is here"),
    "one more blob, with its record": (another_file, "is not what this job has made of the same inputs"),
    "an SBOM, with its record": (sbom, "sbom/linux-amd64/sbom.cdx.json of the given run is not what this job has made"),
    "findings, with their record": (findings, "scan of the given run says something else"),
    "statements, with their record": (statements, "vex of the given run says something else"),
    "excuses, with their record": (excuses, "assess of the given run says something else"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_was_altered_is_named_and_nothing_is_signed(
    signer: Project, built: Project, given: Path, what: str
) -> None:
    alter, said = ALTERED[what]
    alter(given)
    before = content(built.registry)
    ended = sign(signer, given)
    assert (ended.code, content(built.registry)) == (6, before), ended.output
    assert said in ended.stderr
    assert [*signer.run_dir.glob("attest*")] == []


def test_an_image_of_other_bytes_with_records_that_agree(signer: Project, built: Project, given: Path) -> None:
    """Somebody who has the first job puts a whole image of their own in the place of what the wheel gives."""
    image = given / "image"
    document = json.loads((image / "image.json").read_bytes())
    layout = image / "layout"
    index = json.loads((layout / "blobs" / document["digest"].replace(":", "/")).read_bytes())
    index["annotations"] = {**index.get("annotations", {}), "org.opencontainers.image.vendor": "evil"}
    data = json.dumps(index).encode()
    other = Digest.of(data)
    (layout / "blobs" / "sha256" / other.hex).write_bytes(data)
    for path in (layout / "index.json", image / "image.json"):
        path.write_text(path.read_text().replace(document["digest"], str(other)))
    change(layout / "index.json", '"size"', f'"size": {len(data)}, "was"')
    forge(image)
    before = content(built.registry)
    ended = sign(signer, given)
    assert (ended.code, content(built.registry)) == (6, before), ended.output
    assert "the given image is not what its wheel and the locks of this checkout give" in ended.stderr
    assert "vendor" in ended.stderr


def test_nobody_who_could_agree(signer: Project, built: Project, given: Path) -> None:
    before = content(built.registry)
    ended = signer.run("sign", "--run", given, "--signing-config", signer.home / "signing.json")
    assert (ended.code, content(built.registry)) == (2, before), ended.output
    assert "and signs" in ended.stderr


@pytest.mark.parametrize("named", ["none", "other"])
def test_services_that_the_project_alone_names_are_given_no_token(
    signer: Project, built: Project, given: Path, named: str
) -> None:
    """Whoever gets it can sign as this job: what a project writes into its configuration must not lead it away."""
    before = content(built.registry)
    (other := signer.home / "other.json").write_text("{}")
    words: list[str | Path] = ["--signing-config", other] if named == "other" else []
    ended = signer.run("sign", "--yes", "--run", given, *words)
    assert (ended.code, content(built.registry)) == (2, before), ended.output
    assert "the identity token would go where the project says" in ended.stderr


def test_services_that_ci_itself_is_set_up_with_are_known(signer: Project, given: Path) -> None:
    known = json.dumps(json.loads((signer.home / "signing.json").read_bytes()), indent=1)
    shutil.rmtree(given / "smoke")
    ended = signer.run("sign", "--yes", "--run", given, PIPELINE_SIGNING_CONFIG=known)
    assert ended.code == 6, ended.output
    assert "has not finished smoke" in ended.stderr


def test_a_run_that_lies_where_this_one_writes(signer: Project) -> None:
    ended = sign(signer, signer.run_dir)
    assert ended.code == 2, ended.output
    assert "where this run writes" in ended.stderr


def test_a_commit_that_the_token_does_not_name_signs_nothing(signer: Project, built: Project, given: Path) -> None:
    before = content(built.registry)
    claims = {"source_repository_digest": "0" * 40, "build_signer_uri": "https://code.invalid/else"}
    token = signer.authority.token("https://code.invalid/else", claims)
    ended = sign(signer, given, SIGSTORE_ID_TOKEN=token)
    assert (ended.code, content(built.registry)) == (6, before), ended.output
    assert "does not name who would sign" in ended.stderr


@pytest.fixture(scope="module")
def released(signer: Project, built: Project, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Release what the first job has left, as it is."""
    ended = sign(signer, Path(shutil.copytree(built.run_dir, tmp_path_factory.mktemp("artefact") / "given")))
    assert ended.code == 0, ended.output
    return ended


def test_it_is_released_with_its_tags(released: Ended, built: Project) -> None:
    assert built.registry.tags(REPOSITORY) == ["1", "1.0", "1.0.0"]
    published = Digest.of(built.registry.get(f"{REPOSITORY}/manifests/1.0.0", INDEX))
    assert built.read("image/image.json")["digest"] == str(published)
    assert "the given run is what its wheel and this checkout give" in released.stderr


@pytest.mark.usefixtures("released")
def test_no_code_of_the_project_has_run_beside_the_token(signer: Project) -> None:
    for stage in ("build", "test", "smoke"):
        record = json.loads((signer.run_dir / stage / "record.json").read_bytes())
        assert record["commands"] == []
        assert not (signer.run_dir / stage / "log.txt").exists()


@pytest.mark.usefixtures("released")
def test_a_consumer_verifies_it(signer: Project, built: Project) -> None:
    reference = signer.read("publish/receipt.json")["reference"]
    verified = built.run("verify", reference, "--policy", built.policy)
    assert verified.code == 0, verified.output


@pytest.mark.usefixtures("released")
def test_once_more_it_writes_nothing(signer: Project, given: Path, built: Project) -> None:
    before = content(built.registry)
    again = sign(signer, given, "--json")
    assert (again.code, content(built.registry)) == (0, before), again.output
    assert json.loads(again.stdout.splitlines()[-1])["event"] == "summary"
