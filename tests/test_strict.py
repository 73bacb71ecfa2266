"""JSON of others is read as one thing or not at all."""

import pytest

from shipseal import strict


def test_a_document_is_read_as_it_is() -> None:
    assert strict.loads(b'{"a": [1, 2.5, null, {"a": "\\u0000"}]}') == {"a": [1, 2.5, None, {"a": "\0"}]}


@pytest.mark.parametrize(
    "text",
    ["", '{"a": 1', '{"a": 1, "a": 1}', '[{"b": {"a": 1, "c": 2, "a": 3}}]', '{"a": NaN}', "[-Infinity]", "[1] 2"],
)
def test_what_two_readers_could_take_for_two_things_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict.loads(text)


def test_what_is_nested_too_deeply_ends_as_an_error_that_its_callers_know() -> None:
    with pytest.raises(RecursionError):
        strict.loads("[" * 200_000)
