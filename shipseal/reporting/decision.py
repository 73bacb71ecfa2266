"""Say on top what was decided: the answer, of what, by whom, real or rehearsed, and how to check it. Pure."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from shipseal.documents.deploy import DeployDocument
from shipseal.documents.facts import FactsDocument
from shipseal.documents.image import ImageDocument
from shipseal.documents.promote import TagsDocument
from shipseal.documents.verdict import VerdictDocument
from shipseal.documents.verify import VerificationDocument
from shipseal.errors import PolicyDenied, ShipsealError
from shipseal.reporting.documents import NotKnown, NotThere, name
from shipseal.reporting.summary import Fact, RunSummary, StageOutcome

_VERDICT = name(VerdictDocument)
_VERIFICATION = name(VerificationDocument)
_MOST_SIGNERS = 3


class RunOutcome(Enum):
    """What a run came to."""

    MAY_SHIP = "May ship"
    DENIED = "Denied"
    FAILED = "Failed"
    OPEN = "Not decided"


@dataclass(frozen=True)
class ExampleCommand:
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

    answer: RunOutcome
    because: Fact
    image: str
    rehearsed: bool
    kind: str
    facts: tuple[Fact, ...]
    commands: tuple[ExampleCommand, ...]
    failures: tuple[ShipsealError, ...]


def decision(summary: RunSummary) -> Decision:
    """Return it; a document that is not there, or is of another shape, takes the sentences away that need it."""
    answer, because = _answer(summary)
    document = summary.documents.get(ImageDocument)
    image = str(document.reference) if document else ""
    release = summary.world == "release"
    return Decision(
        answer=answer,
        because=because,
        image=image,
        rehearsed=not release,
        kind="a release" if release else "a dry run on one machine" if summary.world else "its directory does not tell",
        facts=tuple(_facts(summary)),
        commands=tuple(_commands(summary, image)),
        failures=summary.failures,
    )


def _answer(summary: RunSummary) -> tuple[RunOutcome, Fact]:
    denials = [failure for failure in summary.failures if isinstance(failure, PolicyDenied)]
    if denials:
        return RunOutcome.DENIED, Fact(
            f"{denials[0].what}.", _VERDICT if summary.documents.get(VerdictDocument) else ""
        )
    for failure in summary.failures:
        return RunOutcome.FAILED, Fact(f"{failure.stage or 'the run'}: {failure.what}.", "")
    for row in summary.rows:
        if row.outcome is StageOutcome.FAILED:
            return RunOutcome.FAILED, Fact(f"What {row.stage} has left cannot be believed: {row.text}.", "")
    return _answer_of_the_verdict(summary)


def _answer_of_the_verdict(summary: RunSummary) -> tuple[RunOutcome, Fact]:
    try:
        verdict = summary.documents.need(VerdictDocument)
    except NotThere:
        return RunOutcome.OPEN, Fact("There is no verdict in this run.", "")
    except NotKnown as error:
        return RunOutcome.OPEN, Fact(f"What the verdict says is not known: {error}.", _VERDICT)
    if not verdict.allowed:
        return RunOutcome.DENIED, Fact("The verdict says no.", _VERDICT)
    if summary.finished("admit"):
        return RunOutcome.MAY_SHIP, Fact("The policy allows it, and the gate was passed.", "admit/record.json")
    return RunOutcome.OPEN, Fact("The verdict says yes, and the gate was not reached.", _VERDICT)


def _facts(summary: RunSummary) -> Iterator[Fact]:
    if facts := summary.documents.get(FactsDocument):
        state = "with changes that are in no commit" if facts.dirty else "exactly as committed"
        where = facts.repository or "a repository that names no origin"
        yield Fact(f"Built from revision {facts.revision} of {where}, {state}.", name(FactsDocument))
    if verdict := summary.documents.get(VerdictDocument):
        yield Fact(f"Judged {verdict.judged} by the policy of that revision.", _VERDICT)
    yield from _by_whom(summary)
    if tags := summary.documents.get(TagsDocument):
        yield Fact(f"Tagged {', '.join(tags.tags)}.", name(TagsDocument))
    if receipt := summary.documents.get(DeployDocument):
        yield Fact(f"Cluster: {receipt.state}; {receipt.reason}.", name(DeployDocument))


def _by_whom(summary: RunSummary) -> Iterator[Fact]:
    try:
        found = summary.documents.left(VerificationDocument)
    except NotKnown as error:
        yield Fact(f"Who has signed it is not known: {error}.", _VERIFICATION)
        return
    signers = sorted({(each.signer, each.issuer) for each in found.statements}) if found else []
    for signer, issuer in signers[:_MOST_SIGNERS]:
        yield Fact(f"Signed by {signer}, whose identity {issuer} vouches for.", _VERIFICATION)
    if len(signers) > _MOST_SIGNERS:
        yield Fact(f"{len(signers) - _MOST_SIGNERS} others have signed too.", _VERIFICATION)
    if not found or not signers:
        yield Fact("Who has signed it was verified by nobody in this run.")
    elif verifiers := " and by ".join(found.verifiers):
        yield Fact(f"Read back from the registry alone, and accepted by {verifiers}.", _VERIFICATION)


def _commands(summary: RunSummary, image: str) -> Iterator[ExampleCommand]:
    """Yield what to type; whatever comes from a document is one word of the shell, of characters that can be seen."""
    if not summary.finished("attest") or not image.isprintable() or not image:
        return
    verification = summary.documents.get(VerificationDocument)
    applied = verification.policy.name if verification else ""
    known = applied if applied.isprintable() else ""
    file = shlex.quote(f"{summary.policy}/verification.toml")
    if summary.world == "release":
        chosen = f" --as {shlex.quote(known)}" if known else ""
        yield ExampleCommand(
            f"shipseal verify {shlex.quote(image)} --policy {file}{chosen}",
            "fetches it as a stranger would, and holds it against the policy",
        )
        return
    yield ExampleCommand(
        f"shipseal verify .run/attest/layout --policy {file} "
        f"--as {shlex.quote(known or 'dry-run')} --trusted-root .run/attest/trusted_root.json",
        "verifies again what this rehearsal has signed, by its own throw-away root of trust",
    )
    if summary.finished("assess"):
        yield ExampleCommand("shipseal replay .run", "judges again from the recorded inputs, and compares the verdict")
