"""A verdict that was recorded comes out again from the same bytes, anywhere, at any time; or it is said where not."""

import io
import json
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.cli import main
from shipseal.digest import Digest
from shipseal.evidence.library_users import linked
from shipseal.judging.case import suite_of
from shipseal.oci import pack
from shipseal.project.config import HOME
from shipseal.released.packing import of_a_run
from tests import measured
from tests.cases import IMAGE, PLATFORM, SERVICE, WAITRESS, ZLIB, case, match, report, store
from tests.elfs import library
from tests.statements import NOW, RULES, statement

MORE_RULES = """
[leeway]
high = 7
[licences]
unknown = "deny"
[base]
packages = ["libc6"]
[tests]
minimum-passed = 2
[source]
clean = true
"""
SEEN = {
    "facts/facts.json": json.dumps(
        {
            "revision": "1",
            "commit_time": 0,
            "repository": "",
            "ref": "",
            "dirty": True,
            "changed": ["a"],
            "tree": f"sha256:{'1' * 64}",
        }
    ).encode(),
    "smoke/tests.json": suite_of(measured.smoke(PLATFORM, Digest.parse(IMAGE), 1)),
}


def replayed(*places: Path) -> int:
    return main(["replay", *map(str, places)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Give a run whose verdict rests on every kind of input."""
    fixed = {"state": "fixed", "versions": ["3.0.1"], "available": [{"version": "3.0.1", "date": "2026-11-20"}]}
    findings = match(), match("CVE-2026-2", WAITRESS, "High", fix=fixed, epss=[{"epss": 0.2}])
    kept = case(*findings, statements=[statement()], rules=RULES + MORE_RULES, more=SEEN)
    verdict = store(kept, tmp_path / "run")
    assert {reason["code"] for reason in verdict["denied"]} == {
        "licence-unknown",
        "base-package",
        "tests",
        "source-dirty",
    }
    assert [reason["code"] for reason in (*verdict["excused"], *verdict["noted"])] == ["vex", "noted"]
    return tmp_path / "run"


def test_a_verdict_is_given_again_on_what_its_run_has_kept(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replayed(run) == 0
    assert capsys.readouterr().out.startswith(f"equal  {run}: denied, on 8 inputs, as of 2026-11-25T12:00:00+00:00")


def test_a_hundred_verdicts_are_given_again_exactly_under_other_time_zones_and_locales(tmp_path: Path) -> None:
    chance = random.Random(17)
    runs = [str(tmp_path / str(number)) for number in range(100)]
    for run in map(Path, runs):
        packages, severities = chance.choices((ZLIB, WAITRESS, SERVICE), k=6), chance.choices(("Critical", "Low"), k=6)
        several = [match(f"CVE-{n}", *pair) for n, pair in enumerate(zip(packages, severities, strict=True))]
        stated = [statement(valid_until=chance.choice(("2026-11-24", "2026-12-01")))] * chance.randrange(2)
        judged = NOW + timedelta(minutes=chance.randrange(-600, 600))
        store(case(*several[: chance.randrange(7)], statements=stated, judged=judged), run)
    command = [sys.executable, "-m", "shipseal", "replay", *runs]
    for zone, locale in (("Pacific/Kiritimati", "C"), ("America/Los_Angeles", "C.UTF-8")):
        settings = {"PATH": os.environ["PATH"], "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": "7"}
        done = subprocess.run(command, cwd=HOME, env=settings, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout.count("equal  ")) == (0, 100), done.stderr


Change = Callable[[Path], None]


def edit(name: str, before: str, after: str) -> Change:
    def change(run: Path) -> None:
        text = (run / name).read_text()
        assert before in text
        (run / name).write_text(text.replace(before, after))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit("assess/verdict.json", '"allowed": false', '"allowed": true'), "allowed: on record true, now false"),
        (edit("assess/verdict.json", "base-package", "base-packages"), ".code: on record"),
        (edit("assess/verdict.json", '"sample": false', '"sample": 0'), "shape that this pipeline does not know"),
        (edit("assess/verdict.json", '"judged": "2026-11-25', '"judged": "2026-11-29'), "noted: on record"),
        (edit("scan/grype.json", "CVE-2026-2", "CVE-2026-3"), "scan/grype.json is not the one that was judged"),
        (edit("assess/policy/rules.toml", "high = 7", "high = 8"), "policy/rules.toml is not the one that was judged"),
        (edit("assess/verdict.json", '"policy/rules.toml"', '"policy/../../x"'), "is the input of no verdict"),
        (edit("assess/verdict.json", '"denied": [', '"denied": 5, "odd": ['), "shape that this pipeline does not know"),
        (edit("assess/verdict.json", '{"allowed"', '{"allowed": true, "allowed"'), "is given twice"),
    ],
)
def test_what_was_altered_is_found_and_named(
    change: Change, said: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run)
    assert replayed(run) == 6
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit("assess/verdict.json", '"version": 2', '"versions": 2'), "before verdicts kept what they rest on"),
        (edit("assess/verdict.json", '"version": 2', '"version": 9'), "by rules of version 9, and this pipeline has 2"),
        (lambda run: (run / "scan" / "grype.json").unlink(), "scan/grype.json is not there"),
        (lambda run: (run / "assess" / "verdict.json").unlink(), "holds no verdict"),
    ],
)
def test_what_cannot_be_replayed_says_why_and_is_no_altered_verdict(
    change: Change, said: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run)
    assert replayed(run) == 2
    assert said in capsys.readouterr().err


def test_one_verdict_that_differs_does_not_keep_the_others_from_being_replayed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(case(match()), tmp_path / "other")
    edit("assess/verdict.json", '"allowed": false', '"allowed": true')(run)
    assert replayed(run, tmp_path / "other") == 6
    assert f"equal  {tmp_path / 'other'}" in capsys.readouterr().out


def test_a_pack_of_a_run_has_all_that_a_replay_needs_whatever_the_policy_is_today(run: Path, tmp_path: Path) -> None:
    kept = of_a_run(run, tmp_path / "another policy")
    assert kept.missing == ()
    pack.write(tmp_path / "it.pack", {"image": "x"}, kept.files)
    assert replayed(tmp_path / "it.pack") == 0


def test_a_machine_is_told_where_two_verdicts_differ(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit("assess/verdict.json", '"allowed": false', '"allowed": true')(run)
    assert main(["replay", str(run), "--json"]) == 6
    told = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (told["event"], told["equal"], told["differences"]) == (
        "replayed",
        False,
        [f"{where}allowed: on record true, now false" for where in ("", "without_vex.")],
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{" * 100_000,
        b'{"matches": NaN}',
        json.dumps({PLATFORM: report([match(severity="Awful")], "2026-11-24T00:00:00Z")}).encode(),
    ],
)
def test_a_report_that_is_none_is_refused_and_named(text: bytes, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = str(Digest.of_file(run / "scan" / "grype.json"))
    (run / "scan" / "grype.json").write_bytes(text)
    edit("assess/verdict.json", before, str(Digest.of(text)))(run)
    assert replayed(run) == 6
    assert "scan/grype.json" in capsys.readouterr().err


def explained(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main(["explain", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_finding_is_explained_from_its_layer_to_what_would_change_the_answer(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "image" / "closure.json").write_text(
        json.dumps({PLATFORM: {"needed": {"waitress.server": "sample"}, "left_out": {}, "made": {}}})
    )
    told = explained(capsys, "CVE-2026-2", "--of", str(run))
    assert (told["ruling"], told["rule"], told["provider"]["name"]) == ("noted", "noted", "github")
    assert told["provider"]["captured"] == "2026-11-24T00:00:00Z"
    (place,) = told["places"]
    assert [layer.partition(" ")[0] for layer in place["layers"]] == ["wheels"]
    assert place["files"] == ["usr/lib/python3/dist-packages/waitress/server.py"]
    assert place["imported"] == {"waitress.server": "sample"}
    assert told["changes"] == [
        {"what": "from 2026-11-28 on", "ruling": "denied", "rule": "severity-high"},
        {"what": "if it were known to be exploited", "ruling": "denied", "rule": "known-exploited"},
    ]


def test_an_excuse_is_explained_with_who_says_it_and_what_happens_when_it_ends(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = explained(capsys, "CVE-2026-1", "--of", str(run))
    assert (told["ruling"], told["rule"]) == ("excused", "vex")
    assert [(each["source"], each["state"]) for each in told["statements"]] == [("policy/vex/test.json", "applied")]
    assert told["changes"] == [
        {"what": "without the VEX statement", "ruling": "denied", "rule": "severity-critical"},
        {"what": "from 2027-02-02 on", "ruling": "denied", "rule": "vex-expired"},
    ]


def test_a_finding_that_is_not_there_is_no_answer_and_what_was_meant_is_guessed(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "CVE-2026-11", "--of", str(run)]) == 2
    assert "did you mean CVE-2026-1" in capsys.readouterr().err


def test_people_are_told_a_finding_as_text_whatever_is_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = match("CVE-\x1b[2J", namespace="deb\u202eian:x")
    store(case(hostile), tmp_path / "run")
    assert main(["explain", "CVE-\x1b[2J", "--of", str(tmp_path / "run")]) == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


def test_the_programs_that_need_a_library_are_named_and_a_layer_that_was_altered_says_nothing(tmp_path: Path) -> None:
    """The package's own files are no importers of it, and what cannot be read needs nothing."""
    files = {
        "usr/bin/server": library(needed=("libz.so.1", "libc.so.6")),
        "usr/lib/libz.so.1": library(needed=("libz.so.1",)),
        "usr/bin/other": library(needed=("libc.so.6",)),
        "usr/bin/broken": b"\x7fELF damaged",
    }
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    digest = Digest.of(layer.getvalue())
    (tmp_path / digest.hex).write_bytes(layer.getvalue())
    package = ["usr/lib/libz.so.1", "usr/share/doc/zlib1g/copyright"]
    assert linked(tmp_path, [digest], package) == {"libz.so.1": "usr/bin/server"}
    (tmp_path / digest.hex).write_bytes(layer.getvalue() + b" ")
    assert linked(tmp_path, [digest, Digest("sha256", "0" * 64)], package) == {}
