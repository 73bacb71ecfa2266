"""Know the documents that stages hand to each other, as far as others rely on them.

A record proves that nobody altered a file since its stage had finished. It does not prove that the stage, or whoever
wrote both, gave it the shape that the next one expects: that is looked at here, before anything is taken out. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.errors import VerificationFailed

_ANY = "*"  # whatever the keys of a mapping are
_SOME = "some"  # a list of objects with something in it: an empty one would pass for good news

Shape = type | str | Mapping[str, Any]

_SHAPES: Mapping[str, Shape] = {
    "facts/facts.json": {"revision": str, "repository": str, "ref": str, "dirty": bool, "tree": str},
    "inputs/inputs.json": {"wheels": {_ANY: list}},
    "image/image.json": {"reference": str, "digest": str, "platforms": {_ANY: {"digest": str}}, "service": dict},
    "sbom/sbom.cdx.json": {"components": _SOME},
    "sbom/sbom.spdx.json": {"packages": _SOME},
    "scan/grype.json": {_ANY: {"matches": list, "descriptor": {"version": str}}},
    "scan/database.json": {"built": str, "schema": str, "checksum": str, "source": str, "sample": bool},
    "vex/openvex.json": {"statements": list},
    "vex/evidence.json": {"image": str, "claims": list},
    "assess/verdict.json": {"allowed": object, "image": str, "denied": list, "excused": list, "inputs": dict},
    "publish/receipt.json": {"reference": str, "bundles": list, "subjects": list},
    "verify/verification.json": {"digest": str},
}


def require_shape(stage: str, relative: str, value: Any) -> None:
    """Compare a stage's document with what others rely on; what is not known here may have any shape.

    Args:
        stage: who wrote it.
        relative: its path in the stage's directory; a directory in between is a platform.
        value: the parsed document.

    Raises:
        VerificationFailed: something that others rely on is missing or of another kind.
    """
    shape = _SHAPES.get(f"{stage}/{relative.rpartition('/')[2]}")
    wrong = list(_wrong(value, shape, "")) if shape is not None else []
    if wrong:
        raise VerificationFailed(
            f"{stage}/{relative} has a shape that this pipeline does not know",
            why=wrong[:5],
            do=f"run `python -m pipeline stage {stage}` again, and find out who wrote it",
        )


def _wrong(value: Any, shape: Shape, where: str) -> Iterator[str]:
    if isinstance(shape, type):
        if not isinstance(value, shape):
            yield f"{where or 'it'} is no {shape.__name__}"
    elif shape == _SOME:
        if not isinstance(value, list) or not value:
            yield f"{where} lists nothing"
        elif not all(isinstance(each, dict) for each in value):
            yield f"{where} lists something that is no object"
    elif not isinstance(value, dict):
        yield f"{where or 'it'} is no object"
    else:
        assert isinstance(shape, Mapping)
        for key, inner in shape.items():
            yield from _wrong_below(value, key, inner, where)


def _wrong_below(value: dict[str, Any], key: str, inner: Shape, where: str) -> Iterator[str]:
    for name in value if key == _ANY else (key,):
        path = f"{where}.{name}" if where else name
        if name in value:
            yield from _wrong(value[name], inner, path)
        else:
            yield f"{path} is missing"
