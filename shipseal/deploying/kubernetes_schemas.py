"""Give the library that has Kubernetes's schemas, without the seconds that a package beside it takes to be imported.

jsonschema, by which it judges, imports `rfc3987_syntax` where that is installed, as it is beside what judges SBOMs in
the tests: a check of IRIs, whose forty parsers are made at once. No schema of Kubernetes asks for it; for who does, it
is imported then.
"""

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType

_SLOW = "rfc3987_syntax"


def _is_valid_syntax(kind: str, text: str) -> bool:
    """Check what the real one does, which is imported now."""
    return bool(importlib.import_module(_SLOW).is_valid_syntax(kind, text))


def _imported(name: str) -> ModuleType:
    """Import a module, for which the slow one is there and is not imported yet."""
    if _SLOW in sys.modules or find_spec(_SLOW) is None:
        return importlib.import_module(name)
    later = ModuleType(_SLOW)
    vars(later)["is_valid_syntax"] = _is_valid_syntax
    sys.modules[_SLOW] = later
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[_SLOW]


kubernetes_validate = _imported("kubernetes_validate")
