"""One effect of a release more or less than planned is named, and what others do meanwhile is no fault of it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.distribution.following import Progress, read_progress
from shipseal.distribution.moving import Moves
from shipseal.distribution.state import RegistryState
from shipseal.documents.attest import Effect, EffectsDocument, Kind
from shipseal.errors import ConfigError, VerificationFailed
from shipseal.evidence.comparison import After, AttachedBundle, Differences, compare
from shipseal.evidence.effects import counted
from shipseal.signing.services import Services, services_of
from shipseal.statements.builders import Signed, SignerIdentity

WHERE = "registry.example/acme/sample"
IMAGE, LAYER, THERE = Digest.of(b"image"), Digest.of(b"layer"), Digest.of(b"a manifest that was there")
MEANT, OLD = Digest.of(b"what a scan says"), Digest.of(b"what was said before")
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def effect(kind: Kind, name: str, at: str, digest: Digest | None = None, **more: Any) -> Effect:
    return Effect(kind=kind, name=name, at=at, digest=digest, **more)


PLAN = EffectsDocument(
    effects=(
        effect(Kind.BLOB, "layer", WHERE, LAYER, size=5),
        effect(Kind.MANIFEST, "index", WHERE, IMAGE, size=6),
        effect(Kind.CERTIFICATE, "scan", "https://ca.example"),
        effect(Kind.ENTRY, "scan", "https://log.example"),
        effect(Kind.BUNDLE, "scan", WHERE),
        effect(Kind.REFERRER, "scan", str(IMAGE)),
        effect(Kind.REFERRER, "vex", str(IMAGE), THERE, there=True),
        effect(Kind.TAG, "1.2.3", WHERE, IMAGE),
    ),
    listed={IMAGE: frozenset({str(THERE)})},
    tags=frozenset({"0.9.0"}),
)
SAYS = {"scan": MEANT, "vex": OLD}


def bundle(name: str, entries: int = 1) -> bytes:
    return json.dumps({"of": name, "verificationMaterial": {"tlogEntries": [{}] * entries}}).encode()


def found(data: bytes, *, meant: Digest = MEANT, after: float = 0, manifest: str = "") -> AttachedBundle:
    """Return a bundle as it was found, so many seconds later than ours."""
    signed = Signed(b"", SignerIdentity("somebody", "https://issuer.example"), NOW + timedelta(seconds=after), {})
    return AttachedBundle(IMAGE, Digest.of(manifest.encode() or data), data, signed, meant)


OURS = found(bundle("ours"))
DONE = After(
    RegistryState(frozenset({LAYER, IMAGE}), {IMAGE: frozenset({str(THERE), str(OURS.manifest)})}),
    Moves({"1.2.3": IMAGE}, {}, ("0.9.0", "1.2.3")),
    {},
    (OURS,),
)


def held(after: After) -> Differences:
    return compare(PLAN, after, SAYS, {OURS.digest})


def with_found(*others: AttachedBundle) -> After:
    return replace(DONE, found=others)


def test_what_was_planned_and_nothing_else_differs_in_nothing() -> None:
    assert Differences() == held(DONE)


LESS: Sequence[tuple[After, str]] = (
    (replace(DONE, state=replace(DONE.state, stored=frozenset({IMAGE}))), f"less: blob layer, {LAYER}, is not there"),
    (with_found(), f"less: scan is not attached to {IMAGE}"),
    (
        replace(DONE, state=replace(DONE.state, listed={IMAGE: frozenset({str(OURS.manifest)})})),
        f"less: vex is no longer listed at {IMAGE}, {THERE}",
    ),
    (replace(DONE, moves=Moves({"1.2.3": None}, {})), "less: tag 1.2.3 is at None"),
)
MORE: Sequence[tuple[After, str]] = (
    (replace(DONE, named={"latest": IMAGE}), f"more: tag latest, at {IMAGE}"),
    (replace(DONE, named={"of-evidence": OURS.manifest}), f"more: tag of-evidence, at {OURS.manifest}"),
    (
        with_found(OURS, found(OURS.bundle, manifest="another")),
        f"more: scan at {IMAGE} is attached a second time, {OURS.digest}",
    ),
    (
        with_found(OURS, found(bundle("theirs"), after=-1)),
        f"more: scan at {IMAGE} a second time, {Digest.of(bundle('theirs'))}",
    ),
)


@pytest.mark.parametrize(("after", "said"), [*LESS, *MORE])
def test_one_effect_more_or_less_is_named_and_that_alone(after: After, said: str) -> None:
    assert Differences((said,)) == held(after)


def test_a_signature_with_more_log_entries_than_planned_is_named() -> None:
    ours = found(bundle("ours", entries=2))
    after = replace(DONE, found=(ours,))
    wrong = compare(PLAN, after, SAYS, {ours.digest}).wrong
    assert (f"more: scan, {ours.digest}, has 2 log entries, not 1",) == wrong


def test_a_signature_without_the_timestamp_that_was_planned_is_the_verifiers_business() -> None:
    stamped = effect(Kind.TIMESTAMP, "scan", "https://tsa.example")
    plan = PLAN.model_copy(update={"effects": (*PLAN.effects, stamped)})
    assert Differences() == compare(plan, DONE, SAYS, {OURS.digest})


OTHERS: Sequence[After] = (
    replace(DONE, named={"nightly": Digest.of(b"another image")}),
    with_found(OURS, found(bundle("another commit's"), meant=Digest.of(b"another provenance"))),
    replace(DONE, moves=Moves({}, {"1.2.3": "1.2.4"})),
)


@pytest.mark.parametrize("after", OTHERS)
def test_what_others_do_is_no_difference(after: After) -> None:
    assert Differences() == held(after)


def test_of_two_releases_at_once_the_one_that_signed_first_is_told_and_not_refused() -> None:
    later = held(with_found(OURS, found(bundle("theirs"), after=1)))
    assert later.wrong == ()
    assert later.surplus == (f"more: scan at {IMAGE} a second time, {Digest.of(bundle('theirs'))}",)


def test_a_plan_is_read_as_it_was_written() -> None:
    assert EffectsDocument.parse(json.dumps(PLAN.as_json()).encode()) == PLAN


@pytest.mark.parametrize("change", [{"effects": [{}]}, {"listed": []}, {"tags": None}, {"effects": [{"kind": "x"}]}])
def test_a_plan_of_another_shape_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(VerificationFailed, match="a shape that this pipeline does not know"):
        EffectsDocument.parse(json.dumps({**PLAN.as_json(), **change}).encode())


def test_the_effects_are_counted_without_what_is_there() -> None:
    expected = ["1 blob (5 bytes)", "1 manifest (6 bytes)", "1 certificate", "1 log entry", "1 bundle", "1 referrer"]
    assert [*expected, "1 tag"] == list(counted(PLAN))
    assert "2 log entries" in list(counted(PLAN.model_copy(update={"effects": (PLAN.effects[3],) * 2})))


def test_progress_counts_each_blob_once_and_what_was_there_apart() -> None:
    said = (
        "Copying 00aa00aa00aa a layer\nCopied  00aa00aa00aa a layer\nExists  11bb11bb11bb {}\nExists  11bb11bb11bb {}\n"
    )
    sizes = {"00aa00aa00aa": 5, "11bb11bb11bb": 2, "22cc22cc22cc": 7}
    assert Progress(sent=5, there=2, total=14) == read_progress(f"{said}Copied  ffffffffffff of nobody\n", sizes)


def url(name: str) -> dict[str, str]:
    return {"url": f"https://{name}.example"}


@pytest.mark.parametrize(
    ("how", "logs"),
    [
        ({"selector": "ANY"}, ("https://a.example or https://b.example",)),
        ({"selector": "ALL"}, ("https://a.example", "https://b.example")),
        ({"selector": "EXACT", "count": 2}, ("https://a.example or https://b.example",) * 2),
    ],
)
def test_a_signature_leaves_as_many_log_entries_as_the_signing_configuration_asks_for(
    how: dict[str, object], logs: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "signing.json"
    document = {"caUrls": [url("ca")], "rekorTlogUrls": [url("a"), url("b")], "rekorTlogConfig": how}
    file.write_text(json.dumps({**document, "tsaUrls": [url("tsa")]}))
    assert Services("https://ca.example", logs, ("https://tsa.example",)) == services_of(file)


def test_nobody_certifies_a_key() -> None:
    assert services_of(None, certified=False).authority == ""


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"caUrls": 1}', '{"rekorTlogUrls": [{}]}', '{"tsaConfig": {"selector": "EXACT"}}', "[" * 9999],
)
def test_what_is_no_signing_configuration_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "signing.json").write_text(text)
    with pytest.raises(ConfigError, match="is not a valid signing configuration of Sigstore"):
        services_of(tmp_path / "signing.json")
