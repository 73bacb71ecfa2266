"""Compare what was found in a release with what was found in an earlier one, by the scans that were signed with both.

The earlier scan is the newest that somebody whom the policy names has attached to that image, in the registry. That the
image satisfies the policy today is not asked: an old release may be denied for the very findings that are now closed.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry
from shipseal.distribution.tags import is_tag, previous_version
from shipseal.errors import RemoteFailed, UsageError, VerificationFailed
from shipseal.purl import Purl
from shipseal.released.release_context import ReleaseContext
from shipseal.signing.identity import Certified
from shipseal.statements.builders import PredicateType
from shipseal.statements.predicates import Vulns, read
from shipseal.verification.consumer import examine
from shipseal.verification.decision import Statement, Unsatisfied
from shipseal.verification.revocation import Revoked

LAST = "last"
_MOST = 50  # findings that are told by name
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_SEVERITY = re.compile(r"[A-Za-z]{1,20}")
_ROW = re.compile(r"[^`|\s\x00-\x20\x7f-\U0010ffff]{1,200}")  # of a Markdown table, between backticks


@dataclass(frozen=True, order=True)
class SignedFinding:
    """A finding as a signed scan has it: `package` is a package URL without qualifiers."""

    id: str
    package: str
    severity: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same when the package is of another version."""
        return self.id, self.package.partition("@")[0]


@dataclass(frozen=True)
class Scanned:
    """What the scans of one image have found, on all of its platforms, and when their databases were built."""

    found: frozenset[SignedFinding]
    built: frozenset[str]


@dataclass(frozen=True)
class Since:
    """What is closed since an earlier release.

    Args:
        tag: the earlier one's; empty where there is none.
        why: why nothing is known; empty where something is.
        closed: what was found then, and is not now.
        opened: how many were not found then, and are now.
        databases: the days of the databases, of the earlier one and of this one.
    """

    tag: str
    why: str = ""
    closed: tuple[SignedFinding, ...] = ()
    opened: int = 0
    databases: tuple[str, str] = ("", "")

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {**vars(self), "closed": [vars(each) for each in self.closed], "databases": list(self.databases)}

    def lines(self) -> Iterator[str]:
        """Yield it in Markdown."""
        yield from (f"## Findings closed since {self.tag}" if self.tag else "## Findings closed", "")
        if self.why:
            yield f"Not known: {self.why}"
            return
        if self.closed:
            yield from ("| finding | severity | in |", "| --- | --- | --- |")
            yield from (f"| `{each.id}` | {each.severity} | `{each.package}` |" for each in self.closed[:_MOST])
            if len(self.closed) > _MOST:
                yield f"| and {len(self.closed) - _MOST} more | | |"
        else:
            yield "None."
        before, now = self.databases
        yield ""
        yield f"By the scans that were signed with both: of {self.tag} with a database of {before}, of this one with"
        yield f"one of {now}. A finding ends with its advisory, too. Found now and not then: {self.opened}."


async def since(ground: ReleaseContext, run_dir: Path, version: str, asked: str) -> Since:
    """Say what is closed since an earlier release.

    Args:
        ground: of the verb; nothing is written outside.
        run_dir: holds this release, whose records the caller has checked.
        version: of this release.
        asked: the tag of the earlier one, or `LAST` for the highest version below this one.

    Raises:
        UsageError: there is no such tag. What cannot be known otherwise is said, with the reason: the release is done.
    """
    if asked != LAST and not is_tag(asked):
        raise UsageError(
            f"{asked} is not a tag that an image can have"[:300], remedy="name an earlier version, or `last`"
        )
    tag = "" if asked == LAST else asked
    try:
        async with ground.world.registry(ground.tools, None) as registry:
            tag = tag or previous_version(version, await registry.tags())
            if not tag:
                return Since("", "no earlier version has a tag in this registry.")
            digest = await registry.resolve(tag)
            if digest is None:
                raise UsageError(f"there is no tag {tag} in this registry", remedy="name an earlier version, or `last`")
            before = await _scanned_there(ground, registry, digest)
        return compared(tag, before, _scanned_here(run_dir))
    except (RemoteFailed, VerificationFailed) as failure:
        return Since(tag, "; ".join((failure.what, *failure.why[:1]))[:300])


def compared(tag: str, before: Scanned, now: Scanned) -> Since:
    """Hold two scans against each other."""
    keys = {each.key for each in before.found}, {each.key for each in now.found}
    closed = tuple(sorted(each for each in before.found if each.key not in keys[1]))
    return Since(tag, "", closed, len(keys[1] - keys[0]), (_days(before), _days(now)))


async def _scanned_there(ground: ReleaseContext, registry: Registry, digest: Digest) -> Scanned:
    """Read the newest signed scan of each platform of an image in a registry."""
    policy, root = ground.policy()
    work = ground.work / "earlier"
    work.mkdir()
    ground.say(f"looking at the scans of {digest}")
    try:
        statements: Iterable[Statement] = (
            await examine(registry, digest, policy, root=root, tools=ground.tools, work=work, now=ground.now)
        ).statements
    except (Revoked, Unsatisfied) as failure:
        statements = failure.statements
    newest: dict[frozenset[Digest], Statement] = {}
    for each in sorted(statements, key=lambda each: each.signed.signed_at):
        allowed = policy.allows(Certified.of(each.signed), PredicateType.VULNS)
        if each.kind == PredicateType.VULNS and allowed and each.speaks_of(digest):
            newest[each.subjects] = each
    if not newest:
        raise VerificationFailed(f"no scan of {digest} is signed by anybody whom the policy names")
    return _scanned(each.predicate for each in newest.values())


def _scanned_here(run_dir: Path) -> Scanned:
    """Read the scans that this release has signed."""
    files = sorted((run_dir / "attest" / "statements").glob("scan-*.json"))
    return _scanned(json.loads(path.read_bytes())["predicate"] for path in files)


def _scanned(predicates: Iterable[object]) -> Scanned:
    found: set[SignedFinding] = set()
    built: set[str] = set()
    for predicate in predicates:
        try:
            scanner = read(Vulns, predicate).scanner
            found |= set(map(_finding, scanner.result))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise VerificationFailed("a signed scan has another shape", why=str(error)[:200]) from error
        built.add(scanner.db.last_update)
    return Scanned(frozenset(found), frozenset(built))


def _finding(entry: Mapping[str, Any]) -> SignedFinding:
    """Read one finding; raise `ValueError` for what could be more than a name in a table."""
    package = str(entry["annotations"][0]["package"])
    with suppress(VerificationFailed):  # a scanner of others may name it as it likes
        package = str(Purl.parse(package))
    found = SignedFinding(str(entry["id"]), package, str(entry["severity"][0]["score"]).lower())
    fits = _ID.fullmatch(found.id), _ROW.fullmatch(found.package), _SEVERITY.fullmatch(found.severity)
    if not all(fits):
        raise ValueError(f"{found.id[:80]!r} in {found.package[:80]!r} is not a finding that can be told")
    return found


def _days(scanned: Scanned) -> str:
    return " and ".join(sorted({each[:10] for each in scanned.built}))
