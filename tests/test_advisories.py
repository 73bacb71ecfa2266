"""What people know of advisories is read strictly: no fact without its source, none that contradicts another."""

from pathlib import Path

import pytest

from shipseal.errors import ConfigError
from shipseal.judging.advisories import read_facts, text_pattern, together, upstream
from shipseal.judging.advisory_files import AdvisoryFiles
from shipseal.project.config import HOME, Config
from tests.holdings import CALLER, FUNCTION, LOOKED, MODULE, fact

SOURCE = LOOKED.splitlines()[0]


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ('modul = "tarfile"', "advisory.0.code.0.modul: there is no such key; did you mean module?"),
        ("", "give exactly one of package, files, module and library"),
        (f'{MODULE}\nfiles = ["x"]', "give exactly one of package, files, module and library"),
        ('library = "libz.so.1"', "library takes functions"),
        ('files = ["x"]\nfunctions = ["y"]', "functions are those of a library or of a module"),
        (f'{MODULE}\nargument = ["%#mc"]', "argument is what a function of a library is called with"),
        (f'{FUNCTION}\nargument = ["#c"]', "3 characters at least"),
        ('files = ["*"]', "a pattern that fits everything names no place"),
        ('library = "libz.so.1"\nfunctions = ["*"]', "a pattern that fits everything names no place"),
        ('module = "../tarfile"', "code.0.module"),
        (f'{MODULE}\nfunctions = ["TarFile.seek"]', "names in ASCII, without the class"),
        (f'{MODULE}\nfunctions = ["s\u00e9ek"]', "names in ASCII, without the class"),
        ('package = "minizip"', "not a package URL"),
    ],
)
def test_a_fact_that_names_no_place_is_refused_with_its_file_and_key(code: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        fact(code)
    assert refused.value.what.startswith("policy/advisories/test.toml asks for something that cannot be")
    assert complaint in refused.value.explain()


@pytest.mark.parametrize("line", LOOKED.splitlines())
def test_a_fact_without_its_source_or_who_has_looked_is_refused(line: str) -> None:
    text = f'[[advisory]]\nid = "C"\npackages = ["pkg:deb/a"]\nabout = "{"x" * 20}"\n[[advisory.code]]\n{MODULE}\n'
    with pytest.raises(ConfigError) as refused:
        read_facts(text + LOOKED.replace(line, ""), "a.toml")
    assert f"advisory.0.code.0.{line.partition(' ')[0]}: it is missing" in refused.value.explain()


@pytest.mark.parametrize("text", ["", "advisory = 5", "[[advisory]]", "{", "[[unknown]]"])
def test_what_is_no_file_of_facts_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.toml"):
        read_facts(text, "a.toml")


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({}, "CVE-2026-1 in pkg:deb/debian/zlib1g"),
        ({"id": '"GHSA-1"', "aliases": '["CVE-2026-1"]'}, "CVE-2026-1 in pkg:deb/debian/zlib1g"),
        ({"packages": '["pkg:deb/debian/zlib1g@1.2"]'}, "CVE-2026-1 in pkg:deb/debian/zlib1g"),
    ],
)
def test_two_files_that_speak_of_one_advisory_are_refused_by_name(changes: dict[str, str], about: str) -> None:
    files = {"one.toml": fact(MODULE, callers=""), "two.toml": fact(MODULE, callers="", **changes)}
    with pytest.raises(ConfigError, match=about) as refused:
        together(files)
    assert refused.value.why == ("one.toml has one", "two.toml has one")


def test_two_files_that_speak_of_one_call_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"how pkg:deb/debian/python3\.11-minimal calls dlsym"):
        together({"one.toml": read_facts(CALLER, "one.toml"), "two.toml": read_facts(CALLER, "two.toml")})


def test_one_advisory_in_two_packages_is_no_contradiction() -> None:
    other = fact(MODULE, callers="", packages='["pkg:deb/debian/other"]')
    assert len(together({"one.toml": fact(MODULE, callers=""), "two.toml": other}).advisories) == 2


def project(root: Path) -> Config:
    (root / "policy" / "advisories").mkdir(parents=True)
    (root / "pipeline.toml").write_text((HOME / "pipeline.toml").read_text())
    return Config.load(root / "pipeline.toml")


def test_what_we_ship_can_be_read_and_names_the_advisories_of_the_sample(tmp_path: Path) -> None:
    known = AdvisoryFiles.load(project(tmp_path)).known
    assert {each.id for _, each in known.advisories} == {
        *("CVE-2026-5450", "CVE-2026-5928", "CVE-2026-27171", "CVE-2024-9287", "CVE-2025-8194"),
        *("GHSA-9298-4cf8-g4wj", "GHSA-3f84-rpwh-47g6"),
    }
    assert all(source.startswith("the pipeline's own policy/advisories/") for source, _ in known.advisories)


def test_a_projects_file_replaces_ours_of_the_same_name_and_another_may_not_contradict_it(tmp_path: Path) -> None:
    config = project(tmp_path)
    own = tmp_path / "policy" / "advisories"
    shipped = (HOME / "policy" / "advisories" / "zlib.toml").read_text()
    (own / "zlib.toml").write_text(shipped)
    found = AdvisoryFiles.load(config)
    assert "policy/advisories/zlib.toml" in {source for source, _ in found.known.advisories}
    (own / "zlib.toml").rename(own / "mine.toml")
    with pytest.raises(ConfigError, match="CVE-2026-27171") as refused:
        AdvisoryFiles.load(config)
    assert "policy/advisories/mine.toml has one" in refused.value.why


@pytest.mark.parametrize("name", ["a b.toml", "\x1b[2J.toml"])
def test_a_file_whose_name_cannot_be_told_is_refused(name: str, tmp_path: Path) -> None:
    config = project(tmp_path)
    (tmp_path / "policy" / "advisories" / name).write_text("")
    with pytest.raises(ConfigError, match="whose name cannot be told"):
        AdvisoryFiles.load(config)


@pytest.mark.parametrize(
    ("text", "data", "found"),
    [
        ("%#mc", b"%2000mc", True),
        ("%#mc", b"%mc", False),
        ("%#$#mc", b"%1$2000mc", True),
        ("a.c", b"abc", False),
        ("%#mc", b"%" + b"9" * 100_000 + b"x", False),
    ],
)
def test_a_text_stands_for_itself_and_its_hash_for_digits(text: str, data: bytes, found: bool) -> None:
    assert bool(text_pattern(text).search(data)) is found


@pytest.mark.parametrize(
    ("version", "part"), [("3.11.2-6+deb12u9", "3.11.2"), ("1:1.2.13.dfsg-1", "1.2.13.dfsg"), ("1:2", "2"), ("2", "2")]
)
def test_the_upstream_part_of_a_version_is_between_epoch_and_revision(version: str, part: str) -> None:
    assert upstream(version) == part
