"""One request to the started image: how it is written, sent and judged. Pure: values and bytes in and out. Pure."""

import json
from collections.abc import Mapping

from shipseal.documents.smoke import SmokeAnswer, SmokeExpected
from shipseal.project.smoke import SmokeRequest

_WITH_BODY = {"POST", "PUT", "PATCH"}
_SHOWN = 120
_LACKING = object()


def wire(request: SmokeRequest) -> bytes:
    """Return a request as it is sent: HTTP/1.0, so that the end of its answer is that of the connection (RFC 1945)."""
    body = request.body.encode()
    headers = {"host": "Host: localhost"} | {name.lower(): f"{name}: {text}" for name, text in request.headers.items()}
    if body or request.method in _WITH_BODY:
        headers["content-length"] = f"Content-Length: {len(body)}"
    head = "\r\n".join([f"{request.method} {request.path} HTTP/1.0", *headers.values(), "", ""])
    return head.encode("ascii") + body


def judge(request: SmokeRequest, answer: bytes) -> SmokeAnswer:
    """Return what smoke.json says of an answer; `wrong` says what is wrong with it, one line each."""
    head, _, body = answer.partition(b"\r\n\r\n")
    parts = head.split(b"\r\n")[0].split(b" ", 2)
    status = int(parts[1]) if len(parts) > 1 and len(parts[1]) == 3 and parts[1].isdigit() else 0
    wrong = []
    if status != request.status:  # then the rest says nothing more
        wrong.append(f"{status or 'no status'} {_shown(body if status else answer)}, expected {request.status}")
    else:
        if request.contains.encode() not in body:
            wrong.append(f"{_shown(body)}, expected with {request.contains!r}")
        wrong += _compare(request.values, body) if request.values else []
    return SmokeAnswer(
        path=request.path,
        method=request.method,
        status=status,
        expected=SmokeExpected(status=request.status, contains=request.contains, values=request.values),
        body=body[:500].decode("utf-8", "replace"),
        wrong=tuple(wrong),
        passed=not wrong,
    )


def _compare(values: Mapping[str, object], body: bytes) -> list[str]:
    try:
        document = json.loads(body)
        found = [(pointer, wanted, _at(document, pointer)) for pointer, wanted in values.items()]
        return [_told(*each) for each in found if not _same(each[1], each[2])]
    except (ValueError, RecursionError):
        return [f"{_shown(body)}, expected JSON"]


def _at(document: object, pointer: str) -> object:
    """Return what a JSON Pointer points at (RFC 6901), or that there is nothing."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and name in map(str, range(len(document))):
            document = document[int(name)]
        else:
            return _LACKING
    return document


def _same(one: object, other: object) -> bool:
    """Say whether two values are the same in JSON, where 1 is 1.0 and neither is true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _told(pointer: str, wanted: object, value: object) -> str:
    said = "is not there" if value is _LACKING else f"is {_cut(json.dumps(value))}"
    return f"{pointer or 'the whole'} {said}, expected {_cut(json.dumps(wanted))}"


def _shown(text: bytes) -> str:
    return repr(text[:_SHOWN].decode("utf-8", "replace"))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
