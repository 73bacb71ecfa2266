"""Adopt what is attached to an image already and says what would be signed: nothing is signed or attached twice.

What is in a registry is believed for its signatures alone, as `verify` believes it: by both verifiers, of somebody whom
the policy lets say it, and only where it satisfies the policy in its place today. Whether the run that has put it there
is known here, or has died with its machine, is no matter.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import anyio

from shipseal.digest import Digest
from shipseal.distribution.collecting import collect
from shipseal.distribution.referrers import EMPTY, Attached, configuration_of
from shipseal.distribution.registry import Registry, not_there
from shipseal.errors import RemoteFailed, VerificationFailed, flatten
from shipseal.oci.layout import Layout
from shipseal.statements.builders import PredicateType
from shipseal.statements.intent import intent
from shipseal.verification.both_verifiers import Both
from shipseal.verification.decision import ImageIndex, Statement, decide
from shipseal.verification.freshness import AGEING
from shipseal.verification.piece import SignedStatement
from shipseal.verification.trust import Policy, Scope

_AT_ONCE = 4  # Cosign processes


async def attached_there(
    registry: Registry,
    subjects: Mapping[Digest, str],
    layout: Layout,
    known: Mapping[Digest, Collection[str]] = MappingProxyType({}),
) -> list[Attached]:
    """Return what is attached to some subjects, which need not be in the registry themselves: then it is nothing.

    Args:
        registry: where they are or will be.
        subjects: an index or manifests, each with words for it.
        layout: has the manifests of the subjects; what is attached to them is added.
        known: manifests at each subject that need not be looked at, as they are listed.

    Raises:
        VerificationFailed: the registry gives other bytes than those of a digest.
        RemoteFailed: it did not answer as it should.
    """
    found: list[Attached] = []
    for subject, words in subjects.items():
        try:
            found += (await collect(registry, {subject: words}, layout, known)).found
        except RemoteFailed as error:
            if not not_there(error):
                raise
    return found


@dataclass(frozen=True)
class Adoption:
    """Who decides what is adopted, and by what.

    Args:
        policy: who may sign what, and what it must say.
        image: what it must speak of.
        both: the verifiers.
        now: the time to judge by.
        found: what is attached: `attached_there`.
    """

    policy: Policy
    image: ImageIndex
    both: Both
    now: datetime
    found: Sequence[Attached] = ()

    async def adopt(self, statements: Mapping[str, bytes], work: Path) -> dict[str, SignedStatement]:
        """Return what is attached in place of each statement that is, by the statement's name.

        Args:
            statements: what would be signed, by name.
            work: a directory for what Cosign is asked about.

        Raises:
            VerificationFailed: the two verifiers disagree about one.
            ToolFailed: Cosign is missing, altered or ran too long.
        """
        everything = signed_there(self.found, self.policy, self.both)
        there = _by_intent(everything)
        adopted: dict[str, SignedStatement] = {}
        for name, statement in statements.items():
            alike = there.get(intent(statement), ())
            if piece := next((each for each in alike if self._will_do(each, everything)), None):
                adopted[name] = piece
        limit = anyio.CapacityLimiter(_AT_ONCE)

        async def ask(name: str, piece: SignedStatement) -> None:
            async with limit:
                bundle = work / f"{name}.sigstore.json"
                await anyio.Path(bundle).write_bytes(piece.bundle)
                await self.both.second(bundle, piece.statement)

        try:
            async with anyio.create_task_group() as questions:
                for name, piece in adopted.items():
                    questions.start_soon(ask, name, piece)
        except ExceptionGroup as failures:
            raise flatten(failures)[0] from failures  # one is enough, and the caller handles one
        return adopted

    def _will_do(self, each: SignedStatement, everything: Iterable[SignedStatement]) -> bool:
        """Say whether a bundle satisfies the policy where its statement is required, for all that it speaks of.

        Where the newest of a kind counts, that has to be this one.
        """
        said = each.statement
        kind = PredicateType(said.kind)
        rivals = [other.statement for other in everything if other.statement.kind == kind] if kind in AGEING else [said]
        platforms = {name: digest for name, digest in self.image.platforms.items() if digest in said.subjects}
        rules = self.policy.rules.model_copy(update={"test_result_of": None})  # both kinds of test are attached
        try:
            alone = replace(self.policy, require={kind: Scope.IMAGE}, rules=rules)
            (evidence,) = decide(alone, replace(self.image, platforms=platforms), rivals, {}, now=self.now)
        except VerificationFailed:
            return False
        return evidence.statement.bundle == said.bundle


def _by_intent(pieces: Iterable[SignedStatement]) -> dict[Digest | None, list[SignedStatement]]:
    """Return what is signed, by what it means: first what is in most places, then the newest."""
    found: dict[Digest | None, list[SignedStatement]] = {}
    for each in pieces:
        if meant := intent(each.statement.signed.statement):
            found.setdefault(meant, []).append(each)
    for same in found.values():
        same.sort(key=lambda each: (-len(each.places), -each.statement.signed.signed_at.timestamp(), each.bundle))
    return found


def signed_there(found: Iterable[Attached], policy: Policy, both: Both) -> list[SignedStatement]:
    """Return what an allowed signer has signed, each bundle once, wherever it is attached."""
    bundles: dict[Digest, bytes] = {}
    places: dict[Digest, dict[Digest, bytes]] = {}
    for item in found:
        bundles[item.digest] = item.bundle
        # A manifest whose configuration is no blob that comes with every release could not be pushed again.
        if configuration_of(item.manifest) == Digest.of(EMPTY):
            places.setdefault(item.digest, {}).setdefault(item.subject, item.manifest)
    adopted: list[SignedStatement] = []
    for digest, bundle in bundles.items():
        try:
            signed = both.first(bundle, policy.signers)
            said = Statement.read(digest, (), signed)
            PredicateType(said.kind)
        except (VerificationFailed, ValueError):
            continue
        adopted.append(SignedStatement(bundle, replace(said, attached_to=said.subjects), places.get(digest, {})))
    return adopted
