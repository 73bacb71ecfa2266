"""Say on top what was decided: the answer, of what, by whom, real or rehearsed, and how to check it. Pure."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from shipseal.errors import PolicyDenied, ShipsealError
from shipseal.reporting.summary import Fact, Outcome, Summary

_VERDICT = "assess/verdict.json"
_VERIFICATION = "verify/verification.json"
_MOST_SIGNERS = 3


class Answer(Enum):
    """What a run came to."""

    MAY_SHIP = "May ship"
    DENIED = "Denied"
    FAILED = "Failed"
    OPEN = "Not decided"


@dataclass(frozen=True)
class Command:
    """What to type, and what it shows."""

    line: str
    shows: str


@dataclass(frozen=True)
class Decision:
    """The top of a report.

    Args:
        answer: what the run came to.
        because: in one sentence, why.
        image: the reference by digest; empty where none was built.
        rehearsed: whether the world was a dry run's, or is not told.
        kind: the world, in words.
        facts: what stands behind the answer.
        commands: how a reader checks it.
        failures: what ended the run.
    """

    answer: Answer
    because: Fact
    image: str
    rehearsed: bool
    kind: str
    facts: tuple[Fact, ...]
    commands: tuple[Command, ...]
    failures: tuple[ShipsealError, ...]


def decision(summary: Summary) -> Decision:
    """Return it; a document that is not there, or is of another shape, takes the sentences away that need it."""
    answer, because = _answer(summary)
    image = _document(summary, "image/image.json").get("reference")
    release = summary.world == "release"
    return Decision(
        answer=answer,
        because=because,
        image=str(image) if image else "",
        rehearsed=not release,
        kind="a release" if release else "a dry run on one machine" if summary.world else "its directory does not tell",
        facts=tuple(_facts(summary)),
        commands=tuple(_commands(summary, str(image or ""))),
        failures=summary.failures,
    )


def _answer(summary: Summary) -> tuple[Answer, Fact]:
    denials = [failure for failure in summary.failures if isinstance(failure, PolicyDenied)]
    if denials:
        return Answer.DENIED, Fact(f"{denials[0].what}.", _VERDICT if _verdict(summary) else "")
    for failure in summary.failures:
        return Answer.FAILED, Fact(f"{failure.stage or 'the run'}: {failure.what}.", "")
    for row in summary.rows:
        if row.outcome is Outcome.FAILED:
            return Answer.FAILED, Fact(f"What {row.stage} has left cannot be believed: {row.text}.", "")
    return _answer_of_the_verdict(summary)


def _answer_of_the_verdict(summary: Summary) -> tuple[Answer, Fact]:
    allowed = _verdict(summary).get("allowed")
    if allowed is False:
        return Answer.DENIED, Fact("The verdict says no.", _VERDICT)
    if allowed is True and summary.finished("admit"):
        return Answer.MAY_SHIP, Fact("The policy allows it, and the gate was passed.", "admit/record.json")
    if allowed is True:
        return Answer.OPEN, Fact("The verdict says yes, and the gate was not reached.", _VERDICT)
    return Answer.OPEN, Fact("There is no verdict in this run.", "")


def _document(summary: Summary, name: str) -> dict[str, Any]:
    value = summary.documents.get(name)
    return value if isinstance(value, dict) else {}


def _verdict(summary: Summary) -> dict[str, Any]:
    return _document(summary, _VERDICT)


def _facts(summary: Summary) -> Iterator[Fact]:
    facts = _document(summary, "facts/facts.json")
    if "revision" in facts:
        state = "with changes that are in no commit" if facts.get("dirty") else "exactly as committed"
        where = facts.get("repository") or "a repository that names no origin"
        yield Fact(f"Built from revision {facts['revision']} of {where}, {state}.", "facts/facts.json")
    if "judged" in _verdict(summary):
        yield Fact(f"Judged {_verdict(summary)['judged']} by the policy of that revision.", _VERDICT)
    yield from _by_whom(summary)
    for name, said in (("promote/tags.json", _tags), ("deploy/receipt.json", _deployed)):
        if found := said(_document(summary, name)):
            yield Fact(found, name)


def _by_whom(summary: Summary) -> Iterator[Fact]:
    found = _document(summary, _VERIFICATION)
    statements = [each for each in _list(found.get("statements")) if isinstance(each, dict)]
    signers = sorted({(str(each.get("signer")), str(each.get("issuer"))) for each in statements})
    for signer, issuer in signers[:_MOST_SIGNERS]:
        yield Fact(f"Signed by {signer}, whose identity {issuer} vouches for.", _VERIFICATION)
    if len(signers) > _MOST_SIGNERS:
        yield Fact(f"{len(signers) - _MOST_SIGNERS} others have signed too.", _VERIFICATION)
    if not signers:
        yield Fact("Who has signed it was verified by nobody in this run.")
    elif verifiers := " and by ".join(map(str, _list(found.get("verifiers")))):
        yield Fact(f"Read back from the registry alone, and accepted by {verifiers}.", _VERIFICATION)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _tags(tags: dict[str, Any]) -> str:
    names = ", ".join(map(str, _list(tags.get("tags"))))
    return f"Tagged {names}." if names else ""


def _deployed(receipt: dict[str, Any]) -> str:
    return f"Cluster: {receipt['state']}; {receipt.get('reason', '')}." if "state" in receipt else ""


def _commands(summary: Summary, image: str) -> Iterator[Command]:
    """Yield what to type; whatever comes from a document is one word of the shell, of characters that can be seen."""
    if not summary.finished("attest") or not image.isprintable() or not image:
        return
    policy = _document(summary, _VERIFICATION).get("policy")
    name = str(policy.get("name")) if isinstance(policy, dict) else ""
    known = name if name.isprintable() else ""
    file = shlex.quote(f"{summary.policy}/verification.toml")
    if summary.world == "release":
        chosen = f" --as {shlex.quote(known)}" if known else ""
        yield Command(
            f"shipseal verify {shlex.quote(image)} --policy {file}{chosen}",
            "fetches it as a stranger would, and holds it against the policy",
        )
        return
    yield Command(
        f"shipseal verify .run/attest/layout --policy {file} "
        f"--as {shlex.quote(known or 'dry-run')} --trusted-root .run/attest/trusted_root.json",
        "verifies again what this rehearsal has signed, by its own throw-away root of trust",
    )
    if summary.finished("assess"):
        yield Command("shipseal replay .run", "judges again from the recorded inputs, and compares the verdict")
