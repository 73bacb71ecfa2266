"""A release after others: the same bytes leave their evidence once, and no tag goes back to an older release."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.locked.store import Store
from shipseal.statements.builders import PredicateType
from tests.release.conftest import MakeProject, Released
from tests.release.projects import REPOSITORY, SOURCE, Project, another_database, import_database
from tests.release.registries import INDEX, MANIFEST, Served, olareg

pytestmark = pytest.mark.timeout(600)


WRITES = re.compile(r'"(?:PUT|POST|PATCH|DELETE) [^"]*"')


def content(registry: Served) -> dict[str, bytes]:
    """Return every file that a registry keeps, but for uploads that were begun."""
    files = (path for path in (registry.log.parent / "files").rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files if "_uploads" not in path.parts}


def kinds(project: Project) -> dict[str, Counter[str]]:
    """Return what kinds of evidence each subject has, by the annotations of the manifests."""
    found: dict[str, Counter[str]] = {}
    for subject in project.read("publish/receipt.json")["subjects"]:
        manifests = (f"{REPOSITORY}/manifests/{each}" for each in project.registry.referrers(REPOSITORY, subject))
        read = (json.loads(project.registry.get(name, MANIFEST)) for name in manifests)
        found[subject] = Counter(each["annotations"]["dev.sigstore.bundle.predicateType"] for each in read)
    return found


def test_unchanged_bytes_and_an_unchanged_database_only_read_from_this_machine_and_another(
    released: Released, tmp_path: Path
) -> None:
    project, registry = released.project.copy(tmp_path / "greetings"), released.project.registry
    if registry.login:  # the run that has released it is known on this machine, and gone on another
        shutil.rmtree(project.run_dir)
    before, said = content(registry), len(registry.log.read_text())
    ended = project.release()
    assert ended.code == 0, ended.output
    assert content(registry) == before
    assert WRITES.findall(registry.log.read_text()[said:]) == []
    assert "0 statements signed by" in ended.stderr
    assert "signing the verification summary" not in ended.stderr
    tags = project.read("promote/tags.json")
    assert tags["before"] == dict.fromkeys(tags["tags"], tags["digest"])


def test_a_new_commit_adds_its_provenance_and_a_new_database_its_scans_and_verdict(copy: Project) -> None:
    """And with either comes the summary that names it; nothing else is there twice."""
    first = kinds(copy)
    copy.commit("NOTES", "nothing that is in the image\n")
    assert copy.release().code == 0
    second = kinds(copy)
    for subject in first:
        assert second[subject] - first[subject] == Counter({PredicateType.PROVENANCE: 1, PredicateType.SUMMARY: 1})
    with another_database(copy):
        assert import_database(copy).code == 0
        assert copy.release().code == 0
    third = kinds(copy)
    for subject in first:
        scans = first[subject][PredicateType.VULNS]
        added = Counter({PredicateType.VULNS: scans, PredicateType.VERDICT: 1, PredicateType.SUMMARY: 1})
        assert third[subject] - second[subject] == added


def test_a_tag_that_a_newer_release_has_stays_there(
    released_openly: Released, make_project: MakeProject, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    shutil.copytree(released_openly.project.registry.log.parent / "files", tmp_path / "files")
    with olareg(store.get(locked["olareg"]), tmp_path) as registry:
        newer = released_openly.project.read("publish/receipt.json")["subjects"][0]  # any manifest that is there
        registry.tag(REPOSITORY, newer, "1.5.0", "1")
        project = make_project(registry)
        ended = project.release()
        assert ended.code == 0, ended.output
        assert "1 stays at 1.5.0, which is newer" in ended.stderr
        planned = json.loads(project.run("plan", "--json").stdout)
        assert (list(planned["tags"]), planned["stay"]) == (["1.0.0", "1.0"], {"1": "1.5.0"})
        assert project.read("promote/tags.json")["stay"] == {"1": "1.5.0"}
        for tag in ("1", "1.5.0"):
            assert str(Digest.of(registry.get(f"{REPOSITORY}/manifests/{tag}", f"{INDEX}, {MANIFEST}"))) == newer


def test_other_spellings_of_the_source_are_the_source_and_a_version_of_two_parts_is_one_of_three(
    make_project: MakeProject, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    with olareg(store.get(locked["olareg"]), tmp_path) as registry:
        project = make_project(registry)
        configuration = (project.root / "pipeline.toml").read_text()
        assert f'source = "{SOURCE}"\n' in configuration
        (project.root / "pipeline.toml").write_text(configuration.replace(f'source = "{SOURCE}"\n', ""))
        origin = f"git@{SOURCE.removeprefix('https://').replace('/', ':', 1)}.git"
        subprocess.run(["git", "-C", project.root, "remote", "add", "origin", origin], check=True)
        policy = project.policy.read_text()
        project.commit("rules/verification.toml", policy.replace(f'source = "{SOURCE}"', f'source = "{SOURCE}.git"'))
        for version, tags in (("1.4", ["1", "1.4", "1.4.0"]), ("1.4.1", ["1", "1.4", "1.4.0", "1.4.1"])):
            before = {tag: registry.get(f"{REPOSITORY}/manifests/{tag}", INDEX) for tag in registry.tags(REPOSITORY)}
            text = (project.root / "app" / "pyproject.toml").read_text()
            project.commit("app/pyproject.toml", re.sub(r'(?m)^version = ".*"', f'version = "{version}"', text))
            ended = project.release()
            assert ended.code == 0, ended.output
            assert registry.tags(REPOSITORY) == tags
        assert before["1.4.0"] == registry.get(f"{REPOSITORY}/manifests/1.4.0", INDEX)
        assert before["1.4"] != registry.get(f"{REPOSITORY}/manifests/1.4", INDEX)
