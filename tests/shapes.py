"""Objects as a hostile API server could give them: any JSON, in any place of what they should be."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

# As deep as JSON can come out of Python's own reader, with a little left for whoever holds it.
DEEP: Any = json.loads('{"spec":[' * 400 + "1" + "]}" * 400)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(["True", "app", "\x1b[2J", "\ud800", "x" * 5000, 2**70, DEEP]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place below a value that holds another: what holds it, and its key there."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@st.composite
def misshapen(draw: st.DrawFn, *bodies: Any) -> list[Any]:
    """Draw the bodies with up to four places of them, whole ones included, taken by any JSON."""
    drawn: list[Any] = [deepcopy(each) for each in bodies]
    for holder, key in draw(st.lists(st.sampled_from([*places(drawn)]), min_size=1, max_size=4)):
        holder[key] = draw(JSON)
    return drawn
