"""Give a stage the wheels that earlier stages name, verified."""

from collections.abc import Iterable
from pathlib import Path

from shipseal.documents.inputs import InputsDocument, InputWheel
from shipseal.engine.stage import Context
from shipseal.errors import VerificationFailed


def locked_wheels(context: Context, group: str) -> tuple[InputWheel, ...]:
    """Return a group of wheels of `inputs.json`; raise `VerificationFailed` when it has no such group."""
    groups = InputsDocument.read(context).wheels
    if group not in groups:
        raise VerificationFailed(
            f"inputs/inputs.json has no wheels.{group}",
            why=f"it has {', '.join(sorted(groups)) or 'none'}",
            remedy="run `shipseal stage inputs` again",
        )
    return groups[group]


def service_wheel(context: Context) -> Path:
    """Return the service's own wheel; raise `VerificationFailed` unless `build` has left exactly one."""
    found = sorted((context.of("build") / "wheels" / "service").glob("*.whl"))
    if len(found) != 1:
        raise VerificationFailed(
            f"build/wheels/service holds {len(found)} wheels, and must hold one",
            why=[path.name for path in found],
            remedy="run `shipseal stage build` again",
        )
    return found[0]


def stored(context: Context, wheels: Iterable[InputWheel]) -> list[Path]:
    """Return wheels of `inputs.json` as verified paths in the store, and record each as a material."""
    paths = []
    for wheel in wheels:
        context.material(f"pkg:pypi/{wheel.name}@{wheel.version}", wheel.digest)
        paths.append(context.store.get(wheel.digest))
    return paths
