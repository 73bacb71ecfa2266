"""What the tables of `pipeline.toml` are made of: keys with hyphens, and values that mean one thing. Pure."""

import re
from pathlib import Path
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

_KEY_ADDRESS = re.compile(r"(?:awskms|azurekms|gcpkms|hashivault)://[!-~]+")


def _inside(path: Path, info: ValidationInfo) -> Path:
    root = cast(dict[str, Path], info.context)["root"]
    full = (root / path).resolve()
    if not full.is_relative_to(root):
        raise ValueError(f"{path} leaves the project's directory")
    return full


def _from_root(path: Path, info: ValidationInfo) -> Path:
    return cast(dict[str, Path], info.context)["root"] / path.expanduser()


def _key(name: str, info: ValidationInfo) -> str:
    """Return the address of a key in a service, or the path of its file: what an option of Cosign takes."""
    if "://" in name:
        if not _KEY_ADDRESS.fullmatch(name):
            raise ValueError(
                f"{name} is not a valid key: name a file, or awskms://, azurekms://, gcpkms:// or hashivault://…"
            )
        return name
    return str(_from_root(Path(name), info)) if name else ""


def each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("one of them is named twice")
    return values


Inside = Annotated[Path, AfterValidator(_inside)]
Anywhere = Annotated[Path, AfterValidator(_from_root)]
Key = Annotated[str, AfterValidator(_key)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Line = Annotated[str, Field(pattern=r"^[^\x00\r\n]*$")]


class Section(BaseModel):
    """A table: frozen, and no key in it that its model does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, alias_generator=lambda name: name.replace("_", "-")
    )
