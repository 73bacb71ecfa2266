"""What was seen of an image becomes what its tier allows, and never more."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shipseal.judging.drafts import draft
from shipseal.judging.following import Following
from shipseal.judging.image_holdings import Holdings, ImportClosure, Trace
from shipseal.judging.tiers import Reachability
from shipseal.judging.vex import read
from shipseal.scanning.findings import Fix
from tests.holdings import (
    AMD64,
    FUNCTION,
    INDEX,
    INTERPRETER,
    LIBZ,
    MAIN,
    MODULE,
    OTHER,
    SEEN,
    SERVICE,
    TAR,
    WITH_TAR,
    followed,
)
from tests.statements import NOW, finding, rules

PACKAGE = 'package = "pkg:deb/debian/libminizip1"'
FILES = 'files = ["usr/bin/minigzip*"]'
LOADED = replace(WITH_TAR, trace=Trace(AMD64, frozenset({TAR}), frozenset(), frozenset(), "3 requests"))
IN_TESTS = replace(WITH_TAR, trace=Trace(AMD64, frozenset(), frozenset({TAR}), frozenset(), "3 requests"))
IMPORTED = replace(WITH_TAR, closures={"linux/amd64": ImportClosure(frozenset({"tarfile"}), {})})
CALLED = replace(SEEN, imports={**SEEN.imports, OTHER: frozenset({"crc32_combine"})})
LACKING = replace(WITH_TAR, words={**WITH_TAR.words, TAR: frozenset()})


def outcome(following: Following) -> tuple[str, str, list[str]]:
    """Return the status, the justification and the tiers of what follows; nothing of each where nothing does."""
    claim = following.claim(NOW)
    if claim is None:
        return "", "", []
    said = claim.statement
    because = said.justification.value if said.justification else ""
    return said.status.value, because, [each.tier for each in claim.seen]


@pytest.mark.parametrize(
    ("holdings", "code", "expected"),
    [
        (SEEN, [PACKAGE], ("not_affected", "component_not_present", ["E0"])),
        (SEEN, [MODULE], ("not_affected", "vulnerable_code_not_present", ["E0"])),
        (SEEN, [PACKAGE, MODULE], ("not_affected", "vulnerable_code_not_present", ["E0", "E0"])),
        (SEEN, [FUNCTION], ("not_affected", "vulnerable_code_not_in_execute_path", ["E3"])),
        (SEEN, [MODULE, FUNCTION], ("not_affected", "vulnerable_code_not_in_execute_path", ["E0", "E3"])),
        (LACKING, [f'{MODULE}\nfunctions = ["seek"]'], ("not_affected", "vulnerable_code_not_present", ["E3"])),
        (WITH_TAR, [MODULE], ("under_investigation", "", ["E1", "E2"])),
        (IMPORTED, [MODULE], ("under_investigation", "", ["E2"])),
        (LOADED, [MODULE], ("affected", "", ["E2"])),
        (LOADED, [FUNCTION, MODULE], ("affected", "", ["E3", "E2"])),
        (replace(WITH_TAR, trace=None), [MODULE], ("", "", [])),
        (IN_TESTS, [MODULE], ("", "", [])),
        (CALLED, [FUNCTION], ("", "", [])),
        (CALLED, [MODULE, FUNCTION], ("", "", [])),
    ],
    ids=lambda value: value[0] or "nothing is stated" if isinstance(value, tuple) else "",
)
def test_evidence_becomes_what_the_table_says_and_never_more(
    holdings: Holdings, code: list[str], expected: tuple[str, str, list[str]]
) -> None:
    assert expected == outcome(followed(holdings, *code))


def test_only_what_is_neither_imported_nor_opened_is_proposed_to_a_person() -> None:
    every = {"present": WITH_TAR, "imported": IMPORTED, "loaded": LOADED, "opened by somebody": IN_TESTS}
    assert [name for name, holdings in every.items() if followed(holdings, MODULE).proposed] == ["present"]


def test_what_is_loaded_is_affected_and_the_action_is_said() -> None:
    found = finding(fix=Fix.FIXED, fixed_in=("1.3",))
    claim = followed(LOADED, f'{MODULE}\nconfiguration = "archives of strangers"', found=found).claim(NOW)
    assert claim is not None
    assert claim.statement.action_statement == "upgrade zlib1g to 1.3, which matters where archives of strangers"


def test_every_piece_of_evidence_names_what_it_was_seen_on() -> None:
    assert [(each.tier, each.on) for each in followed(WITH_TAR, MODULE).seen] == [("E1", INDEX), ("E2", AMD64)]


def test_e0_a_module_that_is_there_under_any_name_is_not_absent() -> None:
    places = (
        "usr/lib/python3.11/tarfile.py", "opt/x/tarfile.cpython-311-x86_64-linux-gnu.so", "opt/tarfile/__init__.pyc",
        "usr/lib/python3.11/__pycache__/tarfile.cpython-311.pyc",
    )  # fmt: skip
    there = [replace(SEEN, paths=SEEN.paths | {place}) for place in places]
    assert [True] * len(places) == [followed(each, MODULE).standing is not Reachability.ABSENT for each in there]


def test_e0_a_file_that_is_there_is_not_absent() -> None:
    offered = replace(SEEN.offered["linux/amd64"], files=frozenset({"usr/bin/minigzip"}))
    idle = Trace(AMD64, frozenset(), frozenset(), frozenset({"usr/bin/minigzip"}), "3 requests")
    without = replace(SEEN, offered={"linux/amd64": offered}, trace=idle)
    there = replace(without, paths=SEEN.paths | {"usr/bin/minigzip"})
    assert [followed(each, FILES).standing for each in (without, there)] == [Reachability.ABSENT, Reachability.IDLE]


@pytest.mark.parametrize(
    ("name", "why"),
    [("tarfil", "the name may be misspelt"), ("zipimport", "the interpreter itself may hold zipimport")],
)
def test_e0_what_cannot_be_told_from_a_slip_is_not_called_absent(name: str, why: str) -> None:
    following = followed(SEEN, f'module = "{name}"')
    assert following.standing is Reachability.UNKNOWN
    assert why in " ".join(following.parts[0].against)


def test_e0_an_archive_that_nobody_has_looked_into_may_hold_it() -> None:
    following = followed(replace(SEEN, archives=("usr/lib/python311.zip",)), MODULE)
    assert following.parts[0].against == ("usr/lib/python311.zip may hold it",)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"closures": {"linux/arm64": ImportClosure(frozenset({"tarfile"}), {})}},
            "the service imports tarfile on linux/arm64",
        ),
        (
            {"closures": {"a": ImportClosure(frozenset(), {"tarfile": "sample/x.py:3"})}},
            "sample/x.py:3 imports tarfile",
        ),
        ({"closures": {"a": ImportClosure(frozenset({"ctypes"}), {})}}, "the service imports ctypes"),
        ({"closures": {"a": ImportClosure(frozenset({"pickle"}), {})}}, "the service imports pickle"),
        ({"closures": {}}, "nobody has read what the service imports"),
        ({"words": {MAIN: frozenset({"import_module"})}}, f"{MAIN} uses import_module"),
        ({"words": {MAIN: frozenset({"exec"})}}, f"{MAIN} uses exec"),
        ({"owners": {"s/c.so": (SERVICE,)}, "imports": {"s/c.so": frozenset()}}, "s/c.so is compiled"),
        ({"paths": WITH_TAR.paths | {"x/_ctypes.so"}}, "x/_ctypes.so lets Python code call any function"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_e1_what_may_import_unseen_defeats_a_reading_of_imports(changes: dict[str, object], why: str) -> None:
    following = followed(replace(WITH_TAR, **changes), MODULE)  # type: ignore[arg-type]
    assert (following.standing, following.proposed) == (Reachability.IDLE, False)
    assert any(each.startswith(why) for each in following.parts[0].against)


@pytest.mark.parametrize("watched", [frozenset(), frozenset({MAIN})])
def test_e2_a_file_that_nobody_watched_is_not_said_to_be_idle(watched: frozenset[str]) -> None:
    trace = Trace(AMD64, frozenset(), frozenset(), watched, "3 requests")
    assert followed(replace(WITH_TAR, trace=trace), MODULE).standing is Reachability.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"imports": {OTHER: frozenset({"crc32_combine"})}}, f"{OTHER} imports crc32_combine, and nobody has looked"),
        ({"imports": {OTHER: frozenset({"dlsym"})}}, f"{OTHER} imports dlsym, and nobody has looked"),
        ({"imports": {OTHER: None}}, f"what {OTHER} imports cannot be read"),
        ({"paths": SEEN.paths | {"x/_cffi_backend.so"}}, "x/_cffi_backend.so lets Python code call any function"),
        ({"words": {OTHER: frozenset({"%#mc"})}}, f"{OTHER} has %#mc"),
        ({"exports": {LIBZ: frozenset({"crc32"})}, "offered": {}}, "which says nothing of static code"),
        ({"exports": {LIBZ: None}}, "which says nothing of static code"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_e3_a_call_that_nobody_has_looked_at_defeats_it(changes: dict[str, object], why: str) -> None:
    following = followed(replace(SEEN, **changes), f'{FUNCTION}\nargument = ["%#mc"]')  # type: ignore[arg-type]
    assert following.standing is Reachability.UNKNOWN
    assert why in " ".join(following.parts[0].against)


@pytest.mark.parametrize(
    ("version", "standing"), [("3.11.2-6+deb12u10", Reachability.UNCALLED), ("3.11.9-1", Reachability.UNKNOWN)]
)
def test_e3_how_a_program_calls_is_known_of_the_version_that_somebody_has_read(
    version: str, standing: Reachability
) -> None:
    calls = {**SEEN.imports, INTERPRETER: frozenset({"crc32_combine"})}
    owner = replace(SEEN.owners[INTERPRETER][0], version=version)
    seen = replace(SEEN, imports=calls, owners={**SEEN.owners, INTERPRETER: (owner,)})
    assert standing is followed(seen, FUNCTION).standing


@pytest.mark.parametrize(
    ("exported", "standing"),
    [
        (frozenset({"crc32", "adler32"}), Reachability.LACKING),
        (frozenset({"adler32"}), Reachability.UNKNOWN),  # not all that Debian lists: the file was not read as it is
        (frozenset({"crc32", "crc32_combine"}), Reachability.UNCALLED),
    ],
)
def test_e3_a_library_lacks_a_function_where_debian_says_so_too(
    exported: frozenset[str], standing: Reachability
) -> None:
    assert standing is followed(replace(SEEN, exports={**SEEN.exports, LIBZ: exported}), FUNCTION).standing


@pytest.mark.parametrize(
    "words", [{TAR: frozenset({"seek"})}, {}], ids=["it has the name", "nobody has looked into it"]
)
def test_e3_a_module_that_has_the_name_or_was_not_read_does_not_lack_it(words: dict[str, frozenset[str]]) -> None:
    following = followed(replace(WITH_TAR, words={MAIN: frozenset(), **words}), f'{MODULE}\nfunctions = ["seek"]')
    assert following.standing is not Reachability.LACKING


def test_a_draft_is_no_statement_before_a_person_has_put_a_name_a_reason_and_a_last_day_into_it() -> None:
    value = draft(followed(WITH_TAR, MODULE), NOW)
    (stated,) = value["statements"]
    blanks = {name: value.get(name, stated.get(name)) for name in ("author", "impact_statement", "valid_until")}
    assert dict.fromkeys(blanks, "") == blanks
    value["author"] = "A Person"
    end = NOW.date() + timedelta(days=30)
    stated |= {"impact_statement": "no archive comes from outside", "valid_until": str(end)}
    (accepted,) = read(json.dumps(value), rules(), "test.json").statements
    assert [(each.not_imported, each.not_opened) for each in accepted.conditions] == [("tarfile", ""), ("", "tarfile")]
