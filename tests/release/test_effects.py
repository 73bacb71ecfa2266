"""What a release writes is what it had planned, by the log of everything that it asks for; one effect more is named."""

import base64
import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.distribution.referrers import BUNDLE_TYPE
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests.release.effects import Request
from tests.release.laboratory import REPOSITORY, Laboratory, laboratory
from tests.release.registries import INDEX, MANIFEST, Served, docker_registry, olareg

pytestmark = pytest.mark.timeout(300)

SIGNED = 10  # statements about one platform, with the summary
MANIFESTS = 2 + 2 * SIGNED
Start = Callable[[Path], Served]


@pytest.fixture(scope="module")
def start(store: Store, locked: dict[str, Digest]) -> Iterator[Start]:
    """Give a function that starts olareg over a directory."""
    with ExitStack() as stack:
        yield lambda directory: stack.enter_context(olareg(store.get(locked["olareg"]), directory, "--api-delete"))


@pytest.fixture(scope="module", params=["olareg", "docker-registry"])
def lab(
    request: pytest.FixtureRequest, authority: LocalSigstore, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laboratory]:
    """Give a laboratory in which an image was released once, to each kind of registry."""
    directory = tmp_path_factory.mktemp("effects")
    with ExitStack() as stack:

        def another(name: str) -> Served:
            (directory / name).mkdir()
            if request.param == "olareg":
                return start(directory / name)
            return stack.enter_context(docker_registry(directory / name))

        lab = stack.enter_context(laboratory(directory, authority, another))
        assert lab.release() == 0, lab.said()
        yield lab


@pytest.fixture(scope="module")
def log(lab: Laboratory) -> list[Request]:
    """Give all that the first release has asked for."""
    return lab.effects.log


@pytest.fixture(scope="module")
def plan(lab: Laboratory, log: list[Request]) -> list[dict[str, Any]]:
    """Give what it had planned."""
    assert log
    effects: list[dict[str, Any]] = lab.read("attest/effects.json")["effects"]
    return effects


def things(log: list[Request], effect: str) -> Counter[str]:
    return Counter(each.thing for each in log if each.effect == effect)


def planned(plan: list[dict[str, Any]], *kinds: str) -> Counter[str]:
    return Counter(each["digest"] for each in plan if each["kind"] in kinds)


def test_the_blobs_and_manifests_that_are_written_are_those_of_the_plan_and_each_is_written_once(
    lab: Laboratory, log: list[Request], plan: list[dict[str, Any]]
) -> None:
    bundles = [*(lab.root / ".run").glob("attest/bundles/*"), lab.root / ".run/promote/summary.sigstore.json"]
    blobs = Counter(str(Digest.of_file(path)) for path in bundles)
    assert planned(plan, "bundle") == Counter({None: SIGNED})
    assert planned(plan, "blob") + blobs == things(log, "blob")
    referrers = planned(plan, "referrer").total()
    assert planned(plan, "manifest").total() + referrers == len(things(log, "manifest"))
    assert planned(plan, "manifest").keys() <= things(log, "manifest").keys()
    assert set(things(log, "manifest").values()) == {1}


def test_there_is_a_certificate_and_a_log_entry_for_each_statement_and_no_more(
    log: list[Request], plan: list[dict[str, Any]]
) -> None:
    for kind in ("certificate", "log entry"):
        assert planned(plan, kind).total() == things(log, kind).total() == SIGNED


def test_each_tag_is_written_once_and_a_list_of_referrers_once_for_each_of_them(
    lab: Laboratory, log: list[Request], plan: list[dict[str, Any]]
) -> None:
    assert things(log, "tag") == Counter(each["name"] for each in plan if each["kind"] == "tag")
    at = Counter(each["at"].replace(":", "-") for each in plan if each["kind"] == "referrer")
    assert things(log, "list of referrers") == (at if lab.served.login else Counter())


def test_nothing_else_is_sent_and_no_byte_twice(lab: Laboratory, log: list[Request]) -> None:
    """A tag is written with the bytes of its manifest, and a list with all that is in it; both are left aside."""
    layout = lab.root / ".run/attest/layout/blobs/sha256"
    sent = {each.thing: each.size for each in log if each.effect in {"blob", "manifest"}}
    assert {each.effect for each in log if each.size and "/v2/" in each.path and "/api/" not in each.path} <= {
        *("blob", "manifest", "tag", "list of referrers")
    }
    for path in layout.iterdir():
        assert path.stat().st_size == sent[f"sha256:{path.name}"]
    receipt = lab.read("publish/receipt.json")
    assert 0 < receipt["sent"] < receipt["bytes"], "one blob was sent ahead, to see whether it may be"


def test_the_next_release_of_the_same_only_reads_on_this_machine_or_another(
    lab: Laboratory, plan: list[dict[str, Any]]
) -> None:
    if lab.served.login:
        lab.machine()
    assert lab.release() == 0, lab.said()
    assert {each.method for each in lab.effects.log} == {"GET", "HEAD"}
    again = lab.read("attest/effects.json")["effects"]
    assert {each["there"] for each in again} == {True}
    assert len(again) == len([each for each in plan if each["kind"] not in {"certificate", "log entry"}])
    assert None not in planned(again, "blob", "manifest", "bundle", "referrer", "tag")


@pytest.fixture(scope="module")
def untagged(
    authority: LocalSigstore, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Laboratory, Callable[[], None]]]:
    """Give a laboratory with a release that was killed before it tagged, and what puts everything back to that."""
    directory = tmp_path_factory.mktemp("untagged")
    count = iter(range(1000))

    def another(name: str) -> Served:
        (directory / name).mkdir()
        return start(directory / name)

    with laboratory(directory, authority, another) as lab:
        lab.release(lambda had: had.count("manifest") == MANIFESTS)
        shutil.copytree(lab.served.log.parent / "files", directory / "before")

        def back() -> None:
            where = directory / str(next(count))
            shutil.copytree(directory / "before", where / "files")
            lab.exchange(start(where))
            lab.machine()

        yield lab, back


def put(served: Served, name: str, data: bytes) -> None:
    served.put(f"{REPOSITORY}/manifests/{name}", data, json.loads(data)["mediaType"])


def tag_elsewhere(lab: Laboratory) -> str:
    index = lab.served.get(f"{REPOSITORY}/manifests/1.2.3", INDEX)
    put(lab.served, "latest", index)
    return f"more: tag latest, at {Digest.of(index)}"


def attach_again(lab: Laboratory) -> str:
    """Attach a bundle of the release once more, by a manifest with another time."""
    index = str(Digest.of(lab.served.get(f"{REPOSITORY}/manifests/1.2.3", INDEX)))
    one = lab.served.referrers(REPOSITORY, index)[0]
    manifest = json.loads(lab.served.get(f"{REPOSITORY}/manifests/{one}", MANIFEST))
    manifest["annotations"]["org.opencontainers.image.created"] = "2020-01-01T00:00:00Z"
    data = json.dumps(manifest).encode()
    put(lab.served, str(Digest.of(data)), data)
    return f"is attached a second time, {manifest['layers'][0]['digest']}"


def take_away(lab: Laboratory) -> str:
    index = str(Digest.of(lab.served.get(f"{REPOSITORY}/manifests/1.2.3", INDEX)))
    one = lab.served.referrers(REPOSITORY, index)[0]
    lab.served.delete(f"{REPOSITORY}/manifests/{one}")
    return f"is no longer listed at {index}, {one}"


@pytest.mark.parametrize("do", [tag_elsewhere, attach_again, take_away])
def test_one_effect_more_or_less_is_named(
    untagged: tuple[Laboratory, Callable[[], None]], do: Callable[[Laboratory], str]
) -> None:
    lab, back = untagged
    back()
    said: list[str] = []

    def meanwhile(request: Request) -> None:
        if request.effect == "tag" and not said:
            said.append(do(lab))

    lab.effects.meanwhile = meanwhile
    try:
        assert lab.release() == 6, lab.said()
    finally:
        lab.effects.meanwhile = lambda _: None
    assert said[0] in lab.said()
    assert "this release has not done outside what was planned, or not that alone" in lab.said()


def test_what_others_do_meanwhile_is_no_fault_of_a_release(untagged: tuple[Laboratory, Callable[[], None]]) -> None:
    """A stranger attaches what looks like evidence, and tags an image of his own."""
    lab, back = untagged
    back()
    done: list[str] = []

    def meanwhile(request: Request) -> None:
        if request.effect != "tag" or done:
            return
        done.append(request.path)
        index = lab.served.get(f"{REPOSITORY}/manifests/1.2.3", INDEX)
        one = lab.served.referrers(REPOSITORY, str(Digest.of(index)))[0]
        manifest = json.loads(lab.served.get(f"{REPOSITORY}/manifests/{one}", MANIFEST))
        bundle = json.loads(lab.served.get(f"{REPOSITORY}/blobs/{manifest['layers'][0]['digest']}"))
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(b"nobody's").decode()
        data = json.dumps(bundle).encode()
        lab.served.put_blob(REPOSITORY, data)
        manifest["layers"] = [{"mediaType": BUNDLE_TYPE, "digest": str(Digest.of(data)), "size": len(data)}]
        forged = json.dumps(manifest).encode()
        put(lab.served, str(Digest.of(forged)), forged)
        other = json.dumps({**json.loads(index), "annotations": {"whose": "another's"}}).encode()
        put(lab.served, "nightly", other)

    lab.effects.meanwhile = meanwhile
    try:
        assert lab.release() == 0, lab.said()
    finally:
        lab.effects.meanwhile = lambda _: None
    assert done
    assert lab.served.tags(REPOSITORY) == ["1", "1.2", "1.2.3", "nightly"]


def test_who_loses_the_tag_of_the_version_says_so_and_moves_no_other(
    untagged: tuple[Laboratory, Callable[[], None]],
) -> None:
    """Another image gets the tag in the moment after this release has written it."""
    lab, back = untagged
    back()
    others: list[bytes] = []

    def meanwhile(request: Request) -> None:
        if request.effect == "tag" and not others:
            index = lab.served.get(f"{REPOSITORY}/manifests/1.2.3", INDEX)
            others.append(json.dumps({**json.loads(index), "annotations": {"whose": "another's"}}).encode())
            put(lab.served, "1.2.3", others[0])

    lab.effects.meanwhile = meanwhile
    try:
        assert lab.release() == 2, lab.said()
    finally:
        lab.effects.meanwhile = lambda _: None
    assert f"{REPOSITORY}:1.2.3 is another image already" in lab.said()
    assert lab.served.tags(REPOSITORY) == ["1.2.3"]
    assert others == [lab.served.get(f"{REPOSITORY}/manifests/1.2.3", INDEX)]


@pytest.fixture
def two(authority: LocalSigstore, start: Start, tmp_path: Path) -> Iterator[tuple[Laboratory, Laboratory]]:
    """Give two laboratories with one registry."""
    (tmp_path / "registry").mkdir()
    served = start(tmp_path / "registry")
    with (
        laboratory(tmp_path / "one", authority, lambda _: served) as one,
        laboratory(tmp_path / "other", authority, lambda _: served, registry=one.registry) as other,
    ):
        shutil.rmtree(other.root)
        shutil.copytree(one.root, other.root)  # the same commit
        yield one, other


def at_once(*labs: Laboratory) -> list[int]:
    """Release from several machines at the same time; return the exit code of each."""
    codes: dict[int, int] = {}

    def release(number: int) -> None:
        codes[number] = labs[number].release()

    threads = [threading.Thread(target=release, args=(number,)) for number in range(len(labs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [codes[number] for number in range(len(labs))]


def test_of_two_releases_of_different_images_to_one_tag_one_wins_and_the_other_says_so(
    two: tuple[Laboratory, Laboratory],
) -> None:
    two[1].image = "another layer"
    codes = at_once(*two)
    assert sorted(codes) == [0, 2], [lab.said() for lab in two]
    winner, loser = (two[codes.index(code)] for code in (0, 2))
    assert "1.2.3 is another image already" in loser.said()
    digest = winner.read("image/image.json")["digest"]
    for tag in ("1.2.3", "1.2", "1"):
        assert digest == str(Digest.of(winner.served.get(f"{REPOSITORY}/manifests/{tag}", INDEX)))


def test_after_two_releases_of_one_image_at_once_the_next_adopts_what_is_there_and_all_is_well(
    two: tuple[Laboratory, Laboratory],
) -> None:
    """Where each has attached its own, the later one says so. A summary of what is adopted from both is then new.

    olareg lists no more than one of two manifests that it takes at the same moment: who finds that has tagged nothing.
    """
    codes = at_once(*two)
    for lab, code in zip(two, codes, strict=True):
        words = {0: "", 5: "nothing was tagged; run this again", 6: "a second time"}
        assert words[code] in lab.said()
    two[0].machine()
    assert two[0].release() == 0, two[0].said()
    if 5 not in codes:
        assert two[0].effects.attempts[-1].count("certificate") <= 1
        assert "tag" not in two[0].effects.attempts[-1]
    digest = two[0].read("image/image.json")["digest"]
    for tag in ("1.2.3", "1.2", "1"):
        assert digest == str(Digest.of(two[0].served.get(f"{REPOSITORY}/manifests/{tag}", INDEX)))
