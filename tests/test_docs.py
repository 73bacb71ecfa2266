"""The documents say what the code does: every key is described, every link leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from shipseal.cli import main
from shipseal.project.config import HOME, Config

PAGES = sorted([*HOME.glob("*.md"), *(HOME / "docs").rglob("*.md"), HOME / "tests" / "samples" / "README.md"])
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"```.*?```", re.DOTALL)
COMMAND = re.compile(r"shipseal ([a-z][^`\n)]*)")
TYPED = sorted(
    {
        command.replace("\\|", "|").partition("#")[0].strip()
        for page in [*PAGES, *(HOME / "k8s").rglob("*.md"), *(HOME / "terraform").glob("**/*.md")]
        for command in COMMAND.findall(page.read_text(encoding="utf-8"))
    }
)


def keys(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield each key of the configuration with the section that it stands in."""
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from ((name, inner.alias or key) for key, inner in section.model_fields.items())


@pytest.mark.parametrize(("section", "key"), sorted(keys(Config)))
def test_each_key_of_the_configuration_is_described(section: str, key: str) -> None:
    text = (HOME / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert f"[{section}]" in text
    assert f"`{key}`" in text or f"`{section}.{key}`" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_each_link_to_a_file_leads_to_one(page: Path) -> None:
    links = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("command", TYPED)
def test_each_command_is_one_that_the_command_line_takes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word.partition("|")[0] for word in command.split()]
    verb = words[:2] if words[0] in {"store", "db"} else words[:1]
    assert main([*verb, "--help"]) == 0
    assert set(re.findall(r"--[a-z-]+", command)) <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


def test_each_event_for_machines_is_described() -> None:
    text = (HOME / "docs" / "json.md").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in (HOME / "shipseal" / "cli").glob("*.py"))
    events = set(re.findall(r'"event": "([a-z]+)"', code))
    assert events
    assert {event for event in events if f"`{event}`" not in text} == set()


def test_the_small_example_is_a_configuration(tmp_path: Path) -> None:
    text = (HOME / "docs" / "configuration.md").read_text(encoding="utf-8")
    (tmp_path / "pipeline.toml").write_text(text.partition("```toml\n")[2].partition("```")[0])
    assert Config.load(tmp_path / "pipeline.toml").service.name == "greetings"


def test_each_decision_is_in_the_list_of_decisions() -> None:
    listed = (HOME / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    pages = [path.name for path in (HOME / "docs" / "adr").glob("*.md") if path.name != "README.md"]
    assert len(pages) > 14
    assert [name for name in pages if f"({name})" not in listed] == []


def test_each_sample_is_in_the_list_of_samples() -> None:
    listed = (HOME / "tests" / "samples" / "README.md").read_text(encoding="utf-8")
    names = [path.parent.name for path in (HOME / "tests" / "samples").glob("*/pipeline.toml")]
    assert names
    assert [name for name in names if f"`{name}`" not in listed] == []


def test_the_map_of_the_code_names_every_module_and_none_that_is_gone() -> None:
    text = CODE.sub("", (HOME / "docs" / "architecture.md").read_text(encoding="utf-8"))
    named = []
    for section in text.split("\n## ")[1:]:
        package = re.search(r"`shipseal/([a-z_/]*)`", section.partition("\n")[0])
        assert package, section
        rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        named += [package[1] + name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]
    below = [path.relative_to(HOME / "shipseal").with_suffix("") for path in (HOME / "shipseal").rglob("*.py")]
    whole = {"cli", "local", "stages"}  # described as a whole: one file a verb, a stand-in, a row
    there = {path.parts[0] if path.parts[0] in whole else str(path) for path in below if path.name != "__init__"}
    assert set(named) == there - {"__main__"}
    assert len(named) == len(set(named)), "one place for each"
