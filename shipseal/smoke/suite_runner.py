"""Run a service's tests on the files of its image: this file is run by the image's own interpreter.

It is started by a copy of the image's files, apart from them, where the sandbox has one: what is opened of the image's
own is then opened by what a test starts. The image has neither pytest nor the modules that pytest needs, so they lie
beside it, below /beside, read-only. What the image holds is taken from the image; what it lacks is found beside it, for
the tests and their tools alone: the service and its wheels, and every process that a test starts, have the image and
nothing else.

The first argument is JSON: `paths` to run and `left_out`, tests by the names that pytest gives them. The second is
where the copy is. The answer is one JSON object on stdout; what pytest prints goes to stderr.
"""

import os
import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False  # no image has to hold `typing`, nor `__future__`: annotations of these are in quotes
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType
    from typing import Any

_PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
STANDARD = f"/usr/lib/{_PYTHON}"
SITE = f"/usr/local/lib/{_PYTHON}/dist-packages"
IMAGE = "/beside/image"  # all that the image was chosen from
WHEELS = f"/beside/wheels{SITE}"  # the tests' own
TESTS = "/beside/tests"
PYTHON = f"/usr/bin/{_PYTHON}"
JUNIT = "/tmp/junit.xml"  # noqa: S108 - the sandbox has a /tmp of its own


class Beside:
    """Find modules beside the image, unless a module of the image's wheels or of the service asks."""

    def __init__(self, apart: str) -> None:
        """Start with nothing found; `apart` is where the copy of the image's files is, if there is one."""
        self.own: set[str] = set()
        self.apart = apart

    def find_spec(self, name: str, path: "Any" = None, target: "ModuleType | None" = None) -> "ModuleSpec | None":
        """Return where a module is beside the image (importlib.abc.MetaPathFinder)."""
        if _asked_by(sys._getframe(1)).removeprefix(self.apart).startswith(SITE):
            return None
        places = [place.removeprefix(self.apart) for place in path or ()]
        here = [place for place in places if place.startswith((STANDARD, SITE))]
        places = [IMAGE + place for place in here] or [
            *(f"{IMAGE}{place}" for place in (STANDARD, f"{STANDARD}/lib-dynload", SITE)),
            WHEELS,
        ]
        found = PathFinder.find_spec(name, places, target)
        if found and (found.origin or "").startswith(IMAGE + SITE):
            self.own.add(name)
        return found

    @staticmethod
    def find_distributions(context: "Any") -> "Any":
        """Return the metadata of the tests' own wheels, by which pytest finds its plugins."""
        from importlib.metadata import DistributionFinder, MetadataPathFinder  # noqa: PLC0415 - found beside the image

        wanted = DistributionFinder.Context(name=context.name, path=[WHEELS])
        return MetadataPathFinder.find_distributions(wanted)


def _asked_by(frame: "FrameType | None") -> str:
    """Return the file of the code that imports."""
    while frame and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame.f_code.co_filename if frame else ""


class Deselected:
    """Remember which tests were left out, to tell a name that names none (a plugin of pytest)."""

    def __init__(self) -> None:
        """Start with none."""
        self.names: list[str] = []

    def pytest_deselected(self, items: "Any") -> None:
        """Note the names."""
        self.names += [item.nodeid for item in items]


def main(beside: Beside, paths: list[str], left_out: list[str]) -> "dict[str, Any]":
    """Run the tests, and say what came of it."""
    os.environ.pop("LD_LIBRARY_PATH", None)  # for this process alone: what it starts must do without
    sys.executable = PYTHON  # what a test starts by it is the image's own
    deselected = Deselected()
    sys.path.insert(0, TESTS)
    os.chdir("/tmp")  # noqa: S108 - as above
    import pytest  # noqa: PLC0415 - found beside the image

    options = ["-p", "no:cacheprovider", f"--junitxml={JUNIT}", *(f"--deselect={name}" for name in left_out)]
    code = int(pytest.main([*options, *(f"{TESTS}/{path}" for path in paths)], plugins=[deselected]))
    try:
        with open(JUNIT, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is not in the image
            junit = file.read()
    except OSError:
        junit = ""
    return {"code": code, "junit": junit, "beside": sorted(beside.own), "left_out": deselected.names}


if __name__ == "__main__":
    answers = os.dup(1)
    os.dup2(2, 1)
    finder = Beside(sys.argv[2])
    sys.meta_path.append(finder)
    import json  # it too may be found beside the image

    outcome = main(finder, **json.loads(sys.argv[1]))
    with os.fdopen(answers, "w", encoding="utf-8") as out:
        json.dump(outcome, out)
