"""Which runs share a group, and which end another: by the workflow's own expressions, for runs as GitHub has them."""

import re
from dataclasses import dataclass

import yaml

from shipseal.project.config import HOME

CONCURRENCY = yaml.safe_load((HOME / ".github" / "workflows" / "pipeline.yml").read_bytes())["concurrency"]
PUSHES = [{"event_name": "push", "ref": "refs/heads/main", "run_id": str(run)} for run in (101, 102, 103)]
COMMITS = [{"event_name": "pull_request", "ref": "refs/pull/7/merge", "run_id": str(run)} for run in (201, 202)]
ANOTHER = {"event_name": "pull_request", "ref": "refs/pull/8/merge", "run_id": "301"}


@dataclass(frozen=True)
class Expressions:
    """Works out what the expressions of a run come to (GitHub, "Evaluate expressions in workflows and actions")."""

    github: dict[str, str]

    def __call__(self, text: str) -> str:
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: self._spelt(self._any(found[1])), text)

    def _any(self, text: str) -> str | bool:
        """Return the first operand of ``||`` that is true, or the last."""
        found = [self._all(part) for part in text.split("||")]
        return next((each for each in found if each), found[-1])

    def _all(self, text: str) -> str | bool:
        """Return the first operand of ``&&`` that is false, or the last."""
        found = [self._equal(part) for part in text.split("&&")]
        return next((each for each in found if not each), found[-1])

    def _equal(self, text: str) -> str | bool:
        left, *right = (self._value(part.strip()) for part in text.split("=="))
        return left == right[0] if right else left

    def _value(self, text: str) -> str:
        quoted = re.fullmatch(r"'([^']*)'", text)
        return quoted[1] if quoted else self.github[text.removeprefix("github.")]

    @staticmethod
    def _spelt(value: str | bool) -> str:
        return str(value).lower() if isinstance(value, bool) else value


def group(run: dict[str, str]) -> str:
    return Expressions({"workflow": "pipeline", **run})(CONCURRENCY["group"])


def ends_others(run: dict[str, str]) -> str:
    return Expressions(run)(CONCURRENCY["cancel-in-progress"])


def test_every_push_to_main_is_judged_however_many_come_while_one_runs() -> None:
    """A group holds one run that waits, which a newer one replaces: three runs of one group are two."""
    assert {"pipeline-101", "pipeline-102", "pipeline-103"} == {group(run) for run in PUSHES}
    assert {"false"} == {ends_others(run) for run in PUSHES}


def test_a_new_commit_of_a_pull_request_ends_the_run_of_the_one_before() -> None:
    assert {"pipeline-refs/pull/7/merge"} == {group(run) for run in COMMITS}
    assert {"true"} == {ends_others(run) for run in COMMITS}


def test_a_pull_request_ends_no_run_of_another_nor_of_main() -> None:
    runs = (COMMITS[0], ANOTHER, *PUSHES)
    assert len(runs) == len({group(run) for run in runs})
