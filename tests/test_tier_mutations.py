"""Each check of each tier matters: with it taken out, a test that is named here fails."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest

from shipseal.judging import escapes, following, image_holdings, tiers
from tests import test_tiers as table
from tests import test_vex_abuses as abuses
from tests.holdings import FUNCTION, INTERPRETER, LIBZ, MAIN, MODULE, OTHER, SEEN, SERVICE, TAR, WITH_TAR


@dataclass(frozen=True)
class Mutation:
    """A check that is taken out, and the test that fails without it.

    Args:
        place: the module or class where it is.
        function: in which function.
        check: its text.
        without: what stands there instead.
        test: fails then.
        arguments: what the test is given.
    """

    place: ModuleType | type
    function: str
    check: str
    without: str
    test: Callable[..., None]
    arguments: tuple[Any, ...] = ()


E1 = table.test_e1_what_may_import_unseen_defeats_a_reading_of_imports
E3 = table.test_e3_a_call_that_nobody_has_looked_at_defeats_it
TABLE = table.test_evidence_becomes_what_the_table_says_and_never_more
SLIP = table.test_e0_what_cannot_be_told_from_a_slip_is_not_called_absent
CLOSED = image_holdings.ImportClosure
UNDER = ("under_investigation", "", ["E2"])

MUTATIONS = {
    "E0: the paths of a module": Mutation(
        *(tiers, "examine", "if not paths:", "if code.module:"),
        table.test_e0_a_module_that_is_there_under_any_name_is_not_absent,
    ),
    "E0: the paths of files": Mutation(
        *(tiers, "examine", "if not paths:", "if code.files:"), table.test_e0_a_file_that_is_there_is_not_absent
    ),
    "E0: archives": Mutation(
        *(tiers, "_absent", 'against = [f"{path} may hold it" for path in holdings.archives]', "against = []"),
        table.test_e0_an_archive_that_nobody_has_looked_into_may_hold_it,
    ),
    "E0: what is inside the interpreter": Mutation(
        *(tiers, "_absent", "any(code.module in each.inside", "any(False and each.inside"),
        SLIP,
        ("zipimport", "the interpreter itself may hold zipimport"),
    ),
    "E0: what nothing has": Mutation(
        *(tiers, "_absent", "if not any(map(holdings.is_offered, _patterns(code))):", "if False:"),
        SLIP,
        ("tarfil", "the name may be misspelt"),
    ),
    "E0: packages": Mutation(
        *(tiers, "_package", "if package.covers(each)", "if False"),
        TABLE,
        (SEEN, ['package = "pkg:deb/debian/zlib1g"'], ("", "", [])),
    ),
    "E1: what the service needs": Mutation(
        *(tiers, "outside", "sorted(closure.needed)", "()"), TABLE, (table.IMPORTED, [MODULE], UNDER)
    ),
    "E1: what is imported in a function": Mutation(
        *(tiers, "outside", "sorted(closure.left_out)", "()"),
        E1,
        ({"closures": {"a": CLOSED(frozenset(), {"tarfile": "sample/x.py:3"})}}, "sample/x.py:3 imports tarfile"),
    ),
    "E1: whether anybody has read": Mutation(
        *(tiers, "outside", "if not holdings.closures:", "if False:"),
        E1,
        ({"closures": {}}, "nobody has read what the service imports"),
    ),
    "E1: escapes": Mutation(
        *(tiers, "outside", "*escapes(holdings)", ""), E1, ({"words": {MAIN: frozenset({"exec"})}}, f"{MAIN} uses exec")
    ),
    "E1: modules that import what they are told": Mutation(
        *(escapes, "_of", "closure.needed & _MODULES", "()"),
        E1,
        ({"closures": {"a": CLOSED(frozenset({"pickle"}), {})}}, "the service imports pickle"),
    ),
    "E1: compiled code": Mutation(
        *(escapes, "_of", "if path in holdings.imports:", "if False:"),
        E1,
        ({"owners": {"s/c.so": (SERVICE,)}, "imports": {"s/c.so": frozenset()}}, "s/c.so is compiled"),
    ),
    "E1: ctypes": Mutation(
        *(escapes, "escapes", "holdings.foreign()", "()"),
        E1,
        ({"paths": WITH_TAR.paths | {"x/_ctypes.so"}}, "x/_ctypes.so lets Python code call any function"),
    ),
    "E2: what the service opened": Mutation(
        *(tiers, "_at_work", "if trace and loaded:", "if False:"),
        TABLE,
        (table.LOADED, [MODULE], ("affected", "", ["E2"])),
    ),
    "E2: what was opened while tests ran": Mutation(
        *(tiers, "_opened", "if path in holdings.trace.during_tests", "if False"),
        abuses.test_a_test_client_that_imports_the_module_in_its_own_process_neither_excuses_nor_accuses,
    ),
    "E2: what nobody watched": Mutation(
        *(tiers, "_opened", "if path not in known", "if False"),
        table.test_e2_a_file_that_nobody_watched_is_not_said_to_be_idle,
        (frozenset(),),
    ),
    "E2: that it was this image": Mutation(
        *(image_holdings, "trace", "if seen.digest not in", "if False and seen.digest not in"),
        abuses.test_what_was_watched_on_another_image_is_refused,
    ),
    "E3: who imports the function": Mutation(
        *(tiers, "_calls", "_fitting(symbols, code.functions)", "frozenset()"),
        TABLE,
        (table.CALLED, [FUNCTION], ("", "", [])),
    ),
    "E3: who finds a function by name": Mutation(
        *(tiers, "_calls", "& _FINDERS", "& frozenset()"),
        E3,
        ({"imports": {OTHER: frozenset({"dlsym"})}}, f"{OTHER} imports dlsym, and nobody has looked"),
    ),
    "E3: what cannot be read": Mutation(
        *(tiers, "_calls", "if symbols is None:", "if False:"),
        E3,
        ({"imports": {OTHER: None}}, f"what {OTHER} imports cannot be read"),
    ),
    "E3: cffi": Mutation(
        *(tiers, "_calls", "holdings.foreign()", "()"),
        E3,
        ({"paths": SEEN.paths | {"x/_cffi_backend.so"}}, "x/_cffi_backend.so lets Python code call any function"),
    ),
    "E3: texts of arguments": Mutation(
        *(tiers, "_calls", "words & frozenset(code.argument)", "()"),
        E3,
        ({"words": {OTHER: frozenset({"%#mc"})}}, f"{OTHER} has %#mc"),
    ),
    "E3: the version of a caller": Mutation(
        *(tiers, "_caller", "all(each.is_of(owner) for owner in owners)", "True"),
        table.test_e3_how_a_program_calls_is_known_of_the_version_that_somebody_has_read,
        ("3.11.9-1", tiers.Reachability.UNKNOWN),
    ),
    "E3: that Debian's symbols agree": Mutation(
        *(tiers, "_not_exported", "names <= (holdings.exports[path] or frozenset())", "True"),
        table.test_e3_a_library_lacks_a_function_where_debian_says_so_too,
        (frozenset({"adler32"}), tiers.Reachability.UNKNOWN),
    ),
    "E3: static code": Mutation(
        *(tiers, "_not_exported", "if not listed or not agreed", "if False"),
        E3,
        ({"exports": {LIBZ: frozenset({"crc32"})}, "offered": {}}, "which says nothing of static code"),
    ),
    "E3: names in a module": Mutation(
        *(tiers, "_lacking", "if others or named or", "if others or"),
        table.test_e3_a_module_that_has_the_name_or_was_not_read_does_not_lack_it,
        ({TAR: frozenset({"seek"})},),
    ),
    "the worst place decides": Mutation(
        *(following.Following, "standing", "max(", "min("),
        TABLE,
        (table.CALLED, [MODULE, FUNCTION], ("", "", [])),
    ),
    "people have precedence": Mutation(
        *(following, "together", "person.state in heard", "False"),
        abuses.test_an_alias_is_no_way_past_what_a_person_says_of_it,
    ),
    "what is loaded is not absent": Mutation(
        *(following, "together", "_refuted(stated, every)", "tuple(stated)"),
        abuses.test_what_the_service_loads_is_not_absent_whoever_says_so,
    ),
    "one finding, one word": Mutation(
        *(following, "together", "_refuse_contradictions(spoken, findings)", "None"),
        abuses.test_an_alias_is_no_way_past_another_statement,
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_with_a_check_taken_out_the_test_that_is_named_for_it_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    each = MUTATIONS[name]
    each.test(*each.arguments)
    found = vars(each.place)[each.function]
    function: Any = found.fget if isinstance(found, property) else found
    source = inspect.cleandoc("\n" + inspect.getsource(function))
    assert source.count(each.check) == 1
    made: dict[str, Any] = {}
    exec(source.replace(each.check, each.without), function.__globals__, made)
    code = made[each.function].fget.__code__ if isinstance(found, property) else made[each.function].__code__
    monkeypatch.setattr(function, "__code__", code)  # wherever it has been imported to
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        each.test(*each.arguments)


def test_the_image_that_all_of_them_begin_with_is_as_it_is_said_to_be() -> None:
    """In it nothing calls the function but the interpreter finds one, which somebody has looked at."""
    assert "dlsym" in (SEEN.imports[INTERPRETER] or ())
    assert replace(WITH_TAR, paths=SEEN.paths) == SEEN
