"""A release that is killed right after an effect ends as an undisturbed one, here and on a machine that knows nothing.

The points come from the plan of the undisturbed release: each of its effects is the last of an attempt on one machine,
and each kind of effect the last of one on another. What is signed there and not yet attached is lost with the run that
has signed it, and its entry in the log stays: no service gives it back. Everything else is there once.
"""

import shutil
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests.release.effects import Deadly
from tests.release.laboratory import Content, Laboratory, laboratory
from tests.release.registries import Served, docker_registry, olareg

pytestmark = pytest.mark.timeout(600)

KINDS = ("olareg", "docker-registry")
REQUESTS: Mapping[str, tuple[str, ...]] = {
    "blob": ("blob",),
    "bundle": ("blob",),
    "manifest": ("manifest",),
    "referrer": ("manifest", "list of referrers"),
    "certificate": ("certificate",),
    "log entry": ("log entry",),
    "tag": ("tag",),
}
"""What each kind of effect in a plan is written by; a registry with the referrers API keeps the lists itself."""

Attempts = list[list[str]]
Another = Callable[[str], Served]


@dataclass(frozen=True)
class Told:
    """How it went.

    Args:
        plan: how many effects of each kind the undisturbed release had planned, by what writes them.
        undisturbed: what came of that.
        here: the effects of each attempt on one machine, and what came of them.
        elsewhere: the same, each attempt on a machine that knows nothing.
        late: the same of an attempt that was killed, of another machine that ended the release, and of the first again;
            of one kind of registry.
    """

    plan: Counter[str]
    undisturbed: Content
    here: tuple[Attempts, Content]
    elsewhere: tuple[Attempts, Content]
    late: tuple[Attempts, Content] | None


def planned(lab: Laboratory) -> Counter[str]:
    """Return how many effects of each kind the plan of the last release has."""
    effects = [each for each in lab.read("attest/effects.json")["effects"] if not each["there"]]
    found = Counter(request for each in effects for request in REQUESTS[each["kind"]])
    if not lab.served.login:
        del found["list of referrers"]
    return found


def next_point(had: Sequence[str]) -> int:
    """Return after how many effects the next attempt on this machine is killed, so that each is the last of one.

    What is certified is certified again, and what is logged at that moment logged again: nobody has heard of it.
    """
    return {"certificate": 2, "log entry": 3}.get(had[-1], 1)


def _is_last(last: int, had: Sequence[str]) -> bool:
    return len(had) == last


def nth(effect: str, number: int = 1) -> Deadly:
    """Return what ends an attempt at an effect of its own, counted from one."""
    return lambda had: had[-1] == effect and had.count(effect) == number


def of_summary(had: Sequence[str]) -> bool:
    """End an attempt when all other evidence is attached, and the summary is being signed."""
    return had[-1] == "certificate" and "manifest" in had


ELSEWHERE: Mapping[str, tuple[Deadly, ...]] = {
    "olareg": (nth("blob", 3), nth("manifest", 18), nth("manifest"), nth("tag")),
    "docker-registry": (
        *(nth("certificate", 5), nth("log entry", 9), nth("blob", 5)),
        *(nth("list of referrers", 8), nth("manifest", 6), of_summary, nth("tag")),
    ),
}
"""Where each attempt on another machine ends: each kind of effect, in the middle of its like.

No registry has a part in what is signed before anything is pushed, so that is killed with one of them.
"""


@pytest.fixture(scope="module")
def stories(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Told]:
    """Tell the whole story of each kind of registry, both at once: most of it is waiting."""

    def tell(kind: str) -> Told:
        directory = tmp_path_factory.mktemp("killed")
        with ExitStack() as stack:

            def another(name: str) -> Served:
                (directory / name).mkdir()
                if kind == "olareg":
                    return stack.enter_context(olareg(store.get(locked["olareg"]), directory / name))
                return stack.enter_context(docker_registry(directory / name))

            with laboratory(directory, authority, another) as lab:
                assert lab.release() == 0, lab.said()
                plan, undisturbed = planned(lab), lab.content()
                assert plan == Counter(lab.effects.attempts[-1])
                late = _late(lab, another) if lab.served.login else None
                return Told(plan, undisturbed, _here(lab, another), _elsewhere(lab, another, ELSEWHERE[kind]), late)

    with ThreadPoolExecutor() as both:
        return dict(zip(KINDS, both.map(tell, KINDS), strict=True))


@pytest.fixture(params=KINDS)
def told(stories: dict[str, Told], request: pytest.FixtureRequest) -> Told:
    """Give the story of each kind of registry."""
    return stories[request.param]


def _here(lab: Laboratory, another: Another) -> tuple[Attempts, Content]:
    lab.machine()
    lab.exchange(another("here"))
    last = 1
    while (code := lab.release(partial(_is_last, last))) == -signal.SIGKILL:
        last = next_point(lab.effects.attempts[-1])
    assert code == 0, lab.said()
    return lab.effects.attempts, lab.content()


def _elsewhere(lab: Laboratory, another: Another, points: Sequence[Deadly]) -> tuple[Attempts, Content]:
    lab.exchange(another("elsewhere"))
    for deadly in points:
        lab.machine()
        assert lab.release(deadly) == -signal.SIGKILL, lab.said()
    lab.machine()
    assert lab.release() == 0, lab.said()
    return lab.effects.attempts, lab.content()


def _late(lab: Laboratory, another: Another) -> tuple[Attempts, Content]:
    """Kill a release when all of it is signed, end it on another machine, and have the first one go on."""
    lab.machine()
    lab.exchange(another("late"))
    assert lab.release(nth("manifest", 6)) == -signal.SIGKILL, lab.said()
    (lab.root / ".run").rename(lab.root / ".aside")
    lab.machine()
    assert lab.release() == 0, lab.said()
    shutil.rmtree(lab.root / ".run")
    (lab.root / ".aside").rename(lab.root / ".run")
    lab.homes -= 1
    assert lab.release() == 0, lab.said()
    return lab.effects.attempts, lab.content()


def test_the_same_content_is_there_and_each_piece_of_it_once(told: Told) -> None:
    for _, content in filter(None, (told.here, told.elsewhere, told.late)):
        assert told.undisturbed == content
    assert all(len(set(said)) == len(said) for said in told.undisturbed.said.values())


def test_each_effect_of_the_plan_was_the_last_of_an_attempt_on_one_machine(told: Told) -> None:
    """A list that lacks one is repaired where that is found, and is then no effect of its own."""
    last = Counter(attempt[-1] for attempt in told.here[0] if attempt)
    assert told.plan - last <= Counter({"list of referrers": told.plan["list of referrers"], "tag": 2})
    assert last.keys() == told.plan.keys()


def test_each_kind_of_effect_was_the_last_of_an_attempt_on_another_machine(
    stories: Mapping[str, Told], told: Told
) -> None:
    last = {name: {attempt[-1] for attempt in story.elsewhere[0] if attempt} for name, story in stories.items()}
    assert told.plan.keys() <= set().union(*last.values())
    for found in last.values():
        assert {"blob", "manifest", "tag"} <= found


def test_what_is_signed_here_is_logged_again_only_where_cosign_was_not_told_that_it_is(told: Told) -> None:
    killed = Counter(attempt[-1] for attempt in told.here[0] if attempt)
    done = Counter(effect for attempt in told.here[0] for effect in attempt)
    assert done["log entry"] == told.plan["log entry"] + killed["log entry"]
    for effect in ("blob", "manifest"):
        assert done[effect] == told.plan[effect]


def test_the_last_attempt_elsewhere_signs_and_attaches_nothing(told: Told) -> None:
    assert set(told.elsewhere[0][-1]) <= {"tag"}


def test_who_comes_late_pushes_no_second_piece_of_what_another_machine_has_attached(
    stories: Mapping[str, Told],
) -> None:
    late = stories["docker-registry"].late
    assert late
    assert late[0][-1] == []
