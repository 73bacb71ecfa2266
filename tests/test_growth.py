"""Aliases are counted as what they become, so that a few lines cannot fill the memory of whoever writes them out."""

import pytest

from shipseal.deploying.growth import grows

GROWING = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: &a {b: c}\nd: *a\n",
        "a: &a {b: c}\nd:\n  <<: *a\n",
        "script: |\n  [ a ] && echo *\n",
        "a: &a x\n---\nb: &a [y]\nc: *a\n",
        "- &big " + "x" * 1000 + "\n" + "- *big\n" * 500,
    ],
)
def test_few_aliases_are_in_order(text: str) -> None:
    assert grows(text.encode()) == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_aliases_of_aliases_are_refused_with_the_line_on_which_they_become_too_much(encoding: str) -> None:
    assert grows(GROWING.encode(encoding)).startswith("line 6: its aliases become more than 1 MiB")


def test_one_long_text_that_is_named_often_is_refused() -> None:
    text = "- &big " + "x" * 1000 + "\n" + "- *big\n" * 1100
    assert "its aliases become more than 1 MiB" in grows(text.encode())


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: {c: *a}}", "a: &a\n  - &b [*a]\n"])
def test_what_holds_itself_is_refused(text: str) -> None:
    assert grows(text.encode()).endswith(": *a holds itself")


def test_what_nobody_can_count_is_refused() -> None:
    assert grows(b"a: & * [").startswith("it holds & and *, and is not valid YAML")
