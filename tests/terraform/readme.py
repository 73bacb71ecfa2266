"""The tables of a module's README, made from its code: `python -m tests.terraform.readme` writes them all anew."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cloud.terraform import CONFIGURATION

_BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.DOTALL | re.MULTILINE)
BEGIN = "<!-- tables -->"


def tables(directory: Path) -> str:
    """Return the tables of inputs and outputs of a module, as its README must hold them."""
    code = "\n".join(file.read_text(encoding="utf-8") for file in sorted(directory.glob("*.tf")))
    blocks = _BLOCK.findall(code)
    inputs = [_input(name, body) for kind, name, body in blocks if kind == "variable"]
    outputs = [f"| `{name}` | {_description(body)} |" for kind, name, body in blocks if kind == "output"]
    lines = ["## Inputs", "", "| name | what it is | type | default |", "| --- | --- | --- | --- |", *inputs]
    lines += ["", "## Outputs", "", "| name | what it is |", "| --- | --- |", *outputs]
    return "\n".join(lines) + "\n"


def _input(name: str, body: str) -> str:
    kind = _attribute("type", body).partition("(")[0]
    default = _attribute("default", body)
    shown = f"`{default}`" if default else "required"
    if default.count("\n") or len(default) > 60:
        shown = "see `variables.tf`"
    return f"| `{name}` | {_description(body)} | `{kind}` | {shown} |"


def _description(body: str) -> str:
    return _attribute("description", body).strip('"').replace('\\"', '"').replace("|", "\\|")


def _attribute(name: str, body: str) -> str:
    """Return the text of an attribute of a block, with what is indented below it."""
    found = re.search(rf"^  {name} +=\s(.*(?:\n    .*|\n  [\])}}].*)*)", body, re.MULTILINE)
    return found[1].strip() if found else ""


def _directories() -> Iterator[Path]:
    yield CONFIGURATION / "bootstrap"
    yield from sorted((CONFIGURATION / "modules").iterdir())
    yield from sorted((CONFIGURATION / "environments").iterdir())


def main() -> int:
    """Write the tables of every README, and leave what stands above them."""
    for directory in _directories():
        readme = directory / "README.md"
        above = readme.read_text(encoding="utf-8").partition(BEGIN)[0]
        readme.write_text(f"{above}{BEGIN}\n\n{tables(directory)}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
