"""JSON or text: the most specific range of the Accept header decides, then its quality (RFC 9110 section 12.5.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.accept import prefers_text
from tests.service.client import Running


@pytest.mark.parametrize(
    "accept",
    [
        "text/plain",
        "TEXT/PLAIN",
        "Text/Plain; Q=0.5",
        "text/*",
        "text/*, */*;q=0.1",
        "application/json;q=0.1, */*;q=0.8",
        "application/*;q=0.2, text/plain;q=0.3",
        "text/plain;charset=UTF-8",
        "text/plain;q=0.5, application/json;q=0.4",
        "text/plain, application/json;q=0",
        "text/plain;q=0.2, text/plain;charset=utf-8;q=0.9, application/json;q=0.5",
        "text/plain, application/json;q=2",
    ],
)
def test_text_is_preferred(accept: str) -> None:
    assert prefers_text(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "*",
        "image/png",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/plain, application/json",
        "text/plain;q=0.5, */*;q=0.8",
        "text/*;q=0.9, text/plain;q=0.1, */*;q=0.5",
        "text/plain;q=0",
        "text/plain;q=nan",
        "text/plain;q=1.5",
        "text/plain;format=flowed",
        "text/plainer",
        "x-text/plain",
        "APPLICATION/JSON, text/plain;q=0.9",
        "application/json;charset=utf-8, text/plain;q=0.9",
    ],
)
def test_json_is_the_answer_otherwise(accept: str) -> None:
    assert not prefers_text(accept)


def test_a_range_that_the_limit_cuts_does_not_count() -> None:
    assert not prefers_text("a/b," * 247 + "text/plain;q=0.10,*/*;q=0.2")


@given(st.text(st.characters(max_codepoint=0xFF), max_size=1200))
def test_any_text_is_read(accept: str) -> None:
    assert prefers_text(accept) in {True, False}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/plain;q=0.5, */*;q=0.8", "application/json"),
        ("TEXT/PLAIN", "text/plain; charset=utf-8"),
        ("text/*", "text/plain; charset=utf-8"),
    ],
)
def test_the_answer_has_the_type_that_is_preferred(running: Running, accept: str, expected: str) -> None:
    assert running.ask("/", "GET", f"Accept: {accept}").headers["content-type"] == expected
