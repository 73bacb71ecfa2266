"""What the tables of `pipeline.toml` are made of: keys with hyphens, and values that mean one thing. Pure."""

from pathlib import Path
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo


def _inside(path: Path, info: ValidationInfo) -> Path:
    root = cast(dict[str, Path], info.context)["root"]
    full = (root / path).resolve()
    if not full.is_relative_to(root):
        raise ValueError(f"{path} leaves the project's directory")
    return full


def _from_root(path: Path, info: ValidationInfo) -> Path:
    return cast(dict[str, Path], info.context)["root"] / path.expanduser()


def each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("one of them is named twice")
    return values


Inside = Annotated[Path, AfterValidator(_inside)]
Anywhere = Annotated[Path, AfterValidator(_from_root)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Line = Annotated[str, Field(pattern=r"^[^\x00\r\n]*$")]


class Section(BaseModel):
    """A table: frozen, and no key in it that its model does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, alias_generator=lambda name: name.replace("_", "-")
    )
