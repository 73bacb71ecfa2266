"""Write out what was decided for a project: `pipeline.toml`, each line with its reason, and a policy. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from shipseal.scaffold.plan import ScaffoldPlan

LOCKS = {"runtime": "locks/runtime", "build": "locks/build", "test": "locks/test"}
"""Where the locks go, without their endings: `.in` says what is asked for, and `.lock` what was chosen."""

_COLUMN = 44  # where reasons begin
_PLACE_HOLDER = "https://github.example/example/simpletimeservice"  # of the policy that comes with the pipeline


@dataclass(frozen=True)
class Learned:
    """What the first image has shown.

    Args:
        packages: the Debian packages that it needs besides Python, each with the reason.
        writable: the directories that the service writes.
        health: where its health path leads to, or what answers in its place.
        refused: whether its health path answers with an error.
        modules: those that it imports in a way that no reading shows.
    """

    packages: Mapping[str, str] = field(default_factory=dict)
    writable: tuple[str, ...] = ()
    health: str = ""
    modules: tuple[str, ...] = ()
    refused: bool = False


def configuration(plan: ScaffoldPlan, learned: Learned) -> str:
    """Return the text of `pipeline.toml`.

    Args:
        plan: what was decided.
        learned: what the first image has shown.
    """
    packages = learned.packages
    leads = "answers with an error where nothing is set up for it" if learned.refused else "redirects to it"
    health, because = (learned.health, f"{plan.health[0]} {leads}") if learned.health else plan.health
    kept = f", versions of {plan.lock}" if plan.lock else ""
    lines = [
        "# What the pipeline has to know of this project; docs/configuration.md of the pipeline describes every key.",
        "",
        "[service]",
        _line(f"name = {json.dumps(plan.name)}", "its own name"),
        _line('source = "."', "where it is built"),
        _line(f'lock = "{LOCKS["runtime"]}.lock"', f"{plan.where['runtime']}{kept}"),
        _line(f'build-lock = "{LOCKS["build"]}.lock"', plan.where["build"]),
        *(_line(text, why) for text, why in plan.start),
        _line(f"health = {json.dumps(health)}", because),
        "",
        "[test]",
        _line(f'lock = "{LOCKS["test"]}.lock"', plan.where["test"]),
        _line(f"paths = {json.dumps(list(plan.tests))}", "made here: there were none" if plan.more else "its tests"),
        "",
        "[image]",
        _line(f"repository = {json.dumps(plan.image[0])}", plan.image[1]),
        *([_line(f'base = "{plan.base}"', f"it is for a Python of which {plan.python} is one")] if plan.base else []),
        *(
            [_line(f"extra-packages = {json.dumps(sorted(packages))}", "; ".join(packages.values()))]
            if packages
            else []
        ),
        *_modules(learned.modules),
        *_writable(learned.writable),
    ]
    return "\n".join(lines) + "\n"


def _modules(names: tuple[str, ...]) -> list[str]:
    why = "its first start failed without"
    return [_line(f"modules = {json.dumps(list(names))}", why)] if names else []


def _writable(directories: tuple[str, ...]) -> list[str]:
    if not directories:
        return []
    why = "it writes there: where it runs, it takes a volume"
    return ["", "[smoke]", _line(f"writable = {json.dumps(list(directories))}", why)]


def requirements(plan: ScaffoldPlan) -> dict[str, str]:
    """Return what is asked for, as requirements files by the names of `LOCKS`."""
    return {
        name: f"# {plan.where[name]}\n" + "".join(f"{each}\n" for each in wanted)
        for name, wanted in plan.wanted.items()
    }


def preferences(plan: ScaffoldPlan) -> str:
    """Return the versions that were chosen before, as a lock that a new one keeps to where it can."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(plan.versions.items()))


def policy(texts: Mapping[str, str], plan: ScaffoldPlan) -> dict[str, str]:
    """Return the files of a policy, those that come with the pipeline, with the project's own repository in them.

    Args:
        texts: those files, by name.
        plan: knows the repository; without one the place holders stay, which no release passes.
    """
    return {name: text.replace(_PLACE_HOLDER, plan.source or _PLACE_HOLDER) for name, text in texts.items()}


def _line(text: str, why: str) -> str:
    return f"{text:<{_COLUMN}}  # {why}"
