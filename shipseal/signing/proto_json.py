"""Write out what protobuf's JSON leaves out, and sigstore-python's models ask for. Pure.

A number that is zero and a list that is empty may be absent, or null, and mean the same (protobuf.dev, "ProtoJSON
Format"): Cosign leaves them out, in the entry of a log's first index and in trust roots without some kind of service.
"""

import json
from collections.abc import Callable

_ROOT = ("tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities")


def filled_root(data: bytes) -> bytes:
    """Return a trust root with every list; raise `ValueError` when it is not JSON."""
    return _changed(data, lambda root: _fill(root, {name: [] for name in _ROOT}))


def filled_bundle(data: bytes) -> bytes:
    """Return a bundle with its list of entries and their numbers; raise `ValueError` when it is not JSON."""
    return _changed(data, _fill_material)


def _fill_material(bundle: dict[str, object]) -> None:
    material = bundle.get("verificationMaterial")
    if not isinstance(material, dict):
        return
    _fill(material, {"tlogEntries": []})
    entries = material["tlogEntries"]
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        _fill(entry, {"logIndex": "0"})
        proof = entry.get("inclusionProof")
        if isinstance(proof, dict):
            _fill(proof, {"logIndex": "0", "hashes": []})


def _fill(document: dict[str, object], zeros: dict[str, object]) -> None:
    document.update({name: zero for name, zero in zeros.items() if document.get(name) is None})


def _changed(data: bytes, change: Callable[[dict[str, object]], object]) -> bytes:
    """Change a document; one that is no table, or too deep, is left to whoever reads it next and says so."""
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if isinstance(document, dict):
        change(document)
    return json.dumps(document).encode()
