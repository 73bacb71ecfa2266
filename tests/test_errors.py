"""A failure says what, why and what to do, and carries the exit code of its class."""

import pytest

from shipseal import errors
from shipseal.errors import PolicyDenied, RemoteFailed, ShipsealError, ToolFailed, UsageError, exit_code, flatten

DENIED = """\
error: 2 findings are not allowed
  stage  admit
  why    CVE-1 in a
         CVE-2 in b
  remedy upgrade"""


def test_a_failure_reads_as_what_stage_why_and_do() -> None:
    failure = PolicyDenied("2 findings are not allowed", why=["CVE-1 in a", "CVE-2 in b"], remedy="upgrade")
    failure.stage = "admit"
    assert failure.explain() == DENIED


def test_a_failure_leaves_out_what_it_does_not_know() -> None:
    assert UsageError("no").explain() == "error: no"


def test_a_failure_for_machines_has_the_same_parts() -> None:
    assert ToolFailed("x", why="y", remedy="z").as_json() == {
        "error": "ToolFailed", "what": "x", "stage": "", "why": ["y"], "remedy": "z", "exit_code": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("UsageError", 2), ("ConfigError", 2), ("PolicyDenied", 3), ("ToolFailed", 4), ("RemoteFailed", 5),
        ("VerificationFailed", 6), ("SubjectFailed", 7),
    ],
)  # fmt: skip
def test_every_class_has_the_exit_code_of_the_design(name: str, code: int) -> None:
    assert getattr(errors, name).exit_code == code


def test_failures_that_arrive_together_exit_with_the_worst() -> None:
    assert exit_code([ToolFailed("t"), PolicyDenied("p"), RemoteFailed("r")]) == 3
    assert exit_code([ToolFailed("t"), ValueError("a bug")]) == 1
    assert exit_code([]) == 0


def test_a_group_of_groups_is_flattened_in_order() -> None:
    first, second, third = UsageError("1"), ValueError("2"), ToolFailed("3")
    group = ExceptionGroup("all", [ExceptionGroup("some", [first, second]), third])
    assert flatten(group) == [first, second, third]


def test_every_failure_of_ours_has_the_one_base() -> None:
    ours = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(value, ShipsealError) for value in ours)
