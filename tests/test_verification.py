"""The policy decides who may sign what, what must be there, and what it must say."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError, VerificationFailed
from shipseal.project.config import HOME
from shipseal.statements.builders import (
    RULES_PASSED,
    VERDICT_FIELD,
    PredicateType,
    Signed,
    SignerIdentity,
    Subject,
    statement,
)
from shipseal.statements.provenance import BUILD_TYPE
from shipseal.verification.decision import ImageIndex, Statement, decide
from shipseal.verification.trust import Policy, Scope, TrustRoot

INDEX, AMD64, ARM64 = (Digest.of(name) for name in (b"index", b"amd64", b"arm64"))
IMAGE = ImageIndex(INDEX, {"linux/amd64": AMD64, "linux/arm64": ARM64})
ALL = frozenset({INDEX, AMD64, ARM64})
BUILDER = SignerIdentity("https://builder.invalid", "https://issuer.invalid")
SCANNER = SignerIdentity("https://scanner.invalid", "https://issuer.invalid")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)

TEXT = """
[require]
provenance = "image"
cyclonedx = "platform"
[policies.p]
trust-root = "run"
slsa-build-level = 1
[[policies.p.signers]]
identity = "https://builder.invalid"
issuer = "https://issuer.invalid"
[[policies.p.signers]]
identity = "https://scanner.invalid"
issuer = "https://issuer.invalid"
statements = ["vulns"]
"""
PROVENANCE: Mapping[str, Any] = {
    "buildDefinition": {
        "buildType": BUILD_TYPE,
        "externalParameters": {"source": {"uri": "https://git.example/a", "ref": "refs/heads/main"}},
        "resolvedDependencies": [
            {"name": "source", "uri": "git+https://git.example/a", "digest": {"gitCommit": "4b825dc6"}},
            {"uri": "pkg:pypi/waitress@3.0.2", "digest": {"sha256": "00"}},
        ],
    },
    "runDetails": {"builder": {"id": "https://builder.invalid"}},
}


def policy(text: str = TEXT, name: str = "p") -> Policy:
    return Policy.read(text.encode(), name)


def only(kind: PredicateType, scope: Scope = Scope.IMAGE, source: str = "") -> Policy:
    """Return a policy that requires one thing."""
    base = policy()
    return replace(base, require={kind: scope}, rules=base.rules.model_copy(update={"source": source}))


def signed(
    kind: PredicateType,
    predicate: Mapping[str, Any],
    *,
    subjects: frozenset[Digest] = ALL,
    attached_to: frozenset[Digest] | None = None,
    who: SignerIdentity = BUILDER,
    claims: Mapping[str, str] | None = None,
) -> Statement:
    document = statement(kind, [Subject("a", digest) for digest in sorted(subjects)], predicate)
    data = json.dumps(document).encode()
    places = subjects if attached_to is None else attached_to
    return Statement.read(Digest.of(data), places, Signed(data, who, NOON, claims or {}))


def cyclonedx(digest: Digest, components: int = 1) -> dict[str, Any]:
    listed = [{"name": f"c{number}"} for number in range(components)]
    described = {"component": {"name": "a", "version": str(digest)}}
    return {"bomFormat": "CycloneDX", "components": listed, "metadata": described}


def spdx(digest: Digest) -> dict[str, Any]:
    return {
        "spdxVersion": "SPDX-2.3",
        "packages": [{"SPDXID": "SPDXRef-Image", "versionInfo": str(digest)}],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-Image",
            }
        ],
    }


def openvex(product: str) -> dict[str, Any]:
    statement = {"vulnerability": {"name": "CVE-1"}, "products": [{"@id": product}], "status": "not_affected"}
    return {"@context": "https://openvex.dev/ns/v0.2.0", "statements": [statement]}


def suite(result: str, passed: object, failed: object) -> dict[str, Any]:
    return {"result": result, "passedTests": passed, "failedTests": failed}


def reasons(policy: Policy, *statements: Statement, refused: Mapping[str, str] | None = None, name: str = "") -> str:
    with pytest.raises(VerificationFailed) as failure:
        decide(policy, replace(IMAGE, name=name), statements, refused or {}, now=NOON)
    return "\n".join(failure.value.why)


def test_an_image_with_all_that_is_required_is_let_in() -> None:
    statements = [
        signed(PredicateType.PROVENANCE, PROVENANCE),
        signed(PredicateType.CYCLONEDX, cyclonedx(AMD64), subjects=frozenset({INDEX, AMD64})),
        signed(PredicateType.CYCLONEDX, cyclonedx(ARM64), subjects=frozenset({INDEX, ARM64})),
    ]
    assert [(each.kind.name, each.scope) for each in decide(policy(), IMAGE, statements, {}, now=NOON)] == [
        ("PROVENANCE", "the image"),
        ("CYCLONEDX", "linux/amd64"),
        ("CYCLONEDX", "linux/arm64"),
    ]


def test_nothing_satisfies_nothing() -> None:
    why = reasons(policy())
    assert why.count("nothing that an allowed signer signed says so") == 3
    assert "provenance for the image" in why
    assert "cyclonedx for linux/arm64" in why


def test_a_bundle_that_was_refused_is_among_the_reasons() -> None:
    assert f"{AMD64} was refused: bad signature" in reasons(policy(), refused={str(AMD64): "bad signature"})


def test_a_statement_about_one_platform_is_none_about_the_image() -> None:
    partial = signed(PredicateType.PROVENANCE, PROVENANCE, subjects=frozenset({INDEX, AMD64}))
    assert "nothing that" in reasons(only(PredicateType.PROVENANCE), partial)


def test_a_statement_must_hang_where_a_consumer_looks() -> None:
    hidden = signed(PredicateType.PROVENANCE, PROVENANCE, attached_to=frozenset({INDEX, AMD64}))
    assert f"not attached to {ARM64}" in reasons(only(PredicateType.PROVENANCE), hidden)


def test_a_signer_may_sign_only_the_kinds_that_are_his() -> None:
    foreign = signed(PredicateType.PROVENANCE, PROVENANCE, who=SCANNER, claims={"build_signer_uri": BUILDER.identity})
    assert "https://scanner.invalid may not sign this" in reasons(only(PredicateType.PROVENANCE), foreign)
    own = signed(PredicateType.VULNS, {"scanner": {"result": [], "db": {"lastUpdate": "2026"}}}, who=SCANNER)
    assert decide(only(PredicateType.VULNS), IMAGE, [own], {}, now=NOON)


def test_any_one_of_several_provenances_will_do() -> None:
    other = {**PROVENANCE, "runDetails": {"builder": {"id": "https://other.invalid"}}}
    statements = [signed(PredicateType.PROVENANCE, other), signed(PredicateType.PROVENANCE, PROVENANCE)]
    (found,) = decide(only(PredicateType.PROVENANCE), IMAGE, statements, {}, now=NOON)
    assert found.statement == statements[1]


def changed(change: Callable[[Any], object]) -> dict[str, Any]:
    predicate = json.loads(json.dumps(PROVENANCE))
    change(predicate)
    return dict(predicate)


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        (lambda p: p["runDetails"]["builder"].update(id="https://else.invalid"), "it names the builder"),
        (lambda p: p["buildDefinition"].update(buildType="https://else.invalid"), "its build type is"),
        (lambda p: p["buildDefinition"]["resolvedDependencies"].pop(1), "it names no material"),
        (lambda p: p["buildDefinition"]["resolvedDependencies"][1].pop("digest"), "without its digest"),
        (
            lambda p: p["buildDefinition"].pop("externalParameters"),
            "malformed: buildDefinition.externalParameters: field required",
        ),
        (lambda p: p.update(runDetails="none"), "malformed: runDetails: input should be a valid dictionary"),
        (lambda p: p["buildDefinition"]["resolvedDependencies"].pop(0), "it names 0 sources"),
    ],
)
def test_provenance_that_does_not_fit_its_signer_is_refused(change: Callable[[Any], object], objection: str) -> None:
    assert objection in reasons(only(PredicateType.PROVENANCE), signed(PredicateType.PROVENANCE, changed(change)))


@pytest.mark.parametrize(
    ("claims", "objection"),
    [
        ({"build_signer_uri": "https://workflow.invalid"}, "https://workflow.invalid signed it"),
        ({"source_repository_uri": "https://git.example/fork"}, "the certificate names https://git.example/fork"),
        ({"source_repository_digest": "badc0de"}, "the certificate names badc0de"),
        (
            {"source_repository_ref": "refs/heads/else"},
            "the ref refs/heads/main, and the certificate names refs/heads/else",
        ),
        ({"run_invocation_uri": "https://git.example/a/runs/2"}, "the certificate names https://git.example/a/runs/2"),
        ({"runner_environment": "self-hosted"}, "the runner (none), and the certificate names self-hosted"),
    ],
)
def test_provenance_is_held_against_the_certificate(claims: Mapping[str, str], objection: str) -> None:
    found = signed(PredicateType.PROVENANCE, PROVENANCE, claims=claims)
    assert objection in reasons(only(PredicateType.PROVENANCE), found)


def test_provenance_that_says_what_the_certificate_says_is_accepted() -> None:
    claims = {"run_invocation_uri": "https://git.example/a/runs/1", "runner_environment": "github-hosted"}
    predicate = changed(lambda p: p["runDetails"].update(metadata={"invocationId": claims["run_invocation_uri"]}))
    predicate["buildDefinition"]["internalParameters"] = {"runner": "github-hosted"}
    found = signed(PredicateType.PROVENANCE, predicate, claims=claims)
    assert decide(only(PredicateType.PROVENANCE), IMAGE, [found], {}, now=NOON)
    other = signed(PredicateType.PROVENANCE, predicate, claims={**claims, "runner_environment": "self-hosted"})
    why = reasons(only(PredicateType.PROVENANCE), other)
    assert "the runner github-hosted, and the certificate names self-hosted" in why


def test_provenance_of_a_checkout_on_no_branch_is_not_held_against_one() -> None:
    predicate = changed(lambda p: p["buildDefinition"]["externalParameters"]["source"].update(ref=""))
    found = signed(PredicateType.PROVENANCE, predicate, claims={"source_repository_ref": "refs/heads/main"})
    assert decide(only(PredicateType.PROVENANCE), IMAGE, [found], {}, now=NOON)


@pytest.mark.parametrize("spelling", ["https://git.example/a.git", "ssh://git@GIT.example/a", "git@git.example:a.git"])
def test_another_spelling_of_the_source_is_the_same_source(spelling: str) -> None:
    predicate = changed(lambda p: p["buildDefinition"]["externalParameters"]["source"].update(uri=spelling))
    found = signed(PredicateType.PROVENANCE, predicate, claims={"source_repository_uri": "https://git.example/a"})
    for source in ("https://git.example/a", "https://git.example/a.git"):
        assert decide(only(PredicateType.PROVENANCE, source=source), IMAGE, [found], {}, now=NOON)


def test_a_policy_can_name_the_source() -> None:
    found = signed(PredicateType.PROVENANCE, PROVENANCE)
    assert decide(only(PredicateType.PROVENANCE, source="https://git.example/a"), IMAGE, [found], {}, now=NOON)
    why = reasons(only(PredicateType.PROVENANCE, source="https://git.example/b"), found)
    assert "it was built from https://git.example/a" in why


@pytest.mark.parametrize(
    ("kind", "predicate", "objection"),
    [
        (PredicateType.CYCLONEDX, cyclonedx(Digest.of(b"other")), "it lists the content of"),
        (PredicateType.CYCLONEDX, cyclonedx(AMD64, components=0), "it lists no components"),
        (PredicateType.CYCLONEDX, {}, "malformed"),
        (PredicateType.SPDX, spdx(Digest.of(b"other")), "it lists the content of"),
        (PredicateType.SPDX, {**spdx(AMD64), "packages": []}, "it lists no packages"),
        (PredicateType.SPDX, {**spdx(AMD64), "relationships": []}, "it describes 0 things"),
        (PredicateType.OPENVEX, openvex("pkg:oci/a@sha256:00"), "it speaks of pkg:oci/a@sha256:00"),
        (PredicateType.OPENVEX, {"@context": "https://else.invalid", "statements": []}, "it is not OpenVEX"),
        (PredicateType.VULNS, {"scanner": {"result": None, "db": {"lastUpdate": "2026"}}}, "scanner.result"),
        (PredicateType.VULNS, {"scanner": {"result": [], "db": {"lastUpdate": ""}}}, "how old its database was"),
        (PredicateType.TEST_RESULT, suite("FAILED", ["t::m"], ["t::n"]), "did not pass: t::n"),
        (PredicateType.TEST_RESULT, suite("PASSED", [], []), "no test passed"),
        (PredicateType.VERDICT, {"properties": []}, "the verdict is not to allow"),
        (PredicateType.SUMMARY, {"verificationResult": "FAILED"}, "ended with FAILED"),
    ],
)
def test_a_statement_that_says_something_else_is_refused(
    kind: PredicateType, predicate: Mapping[str, Any], objection: str
) -> None:
    assert objection in reasons(only(kind), signed(kind, predicate))


@pytest.mark.parametrize(
    ("kind", "predicate"),
    [
        (PredicateType.SIGNATURE, {}),
        (PredicateType.SPDX, spdx(AMD64)),
        (PredicateType.OPENVEX, openvex(f"pkg:oci/a@{INDEX}")),
        (PredicateType.TEST_RESULT, suite("WARNED", ["t"], [])),
        (PredicateType.VERDICT, {"properties": [RULES_PASSED]}),
        (PredicateType.SUMMARY, {"verificationResult": "PASSED"}),
    ],
)
def test_a_statement_that_says_what_it_should_is_accepted(kind: PredicateType, predicate: Mapping[str, Any]) -> None:
    assert decide(only(kind), IMAGE, [signed(kind, predicate)], {}, now=NOON)


def suite_of(tested: Mapping[str, Any], *, subjects: frozenset[Digest] = ALL) -> Statement:
    """Return the statement that a suite passed, and of what."""
    configuration = [{"name": "pipeline.toml", "digest": {"sha256": "00"}}, tested]
    return signed(
        PredicateType.TEST_RESULT, {**suite("PASSED", ["t"], []), "configuration": configuration}, subjects=subjects
    )


THE_WHEEL = suite_of({"name": "tested: a-1.whl", "digest": {"sha256": "11"}})
STARTED = suite_of({"name": "the started image", "digest": {"sha256": ARM64.hex}}, subjects=frozenset({INDEX, ARM64}))
NOTHING = suite_of({"name": "something", "digest": {"sha256": "22"}})
ANOTHER_PLATFORM = suite_of({"name": "a", "digest": {"sha256": AMD64.hex}}, subjects=frozenset({INDEX, ARM64}))


def of(tested: str, scope: Scope = Scope.IMAGE) -> Policy:
    base = policy(TEXT.replace('"run"', f'"run"\ntest-result-of = "{tested}"'))
    return replace(base, require={PredicateType.TEST_RESULT: scope})


def test_the_suite_of_the_wheel_are_none_of_the_shipped_bytes_where_the_policy_asks_for_those() -> None:
    why = reasons(of("image"), THE_WHEEL)
    assert "it is of the wheel, and the policy asks for that of the image" in why
    [found] = decide(of("image"), IMAGE, [THE_WHEEL, STARTED], {}, now=NOON)
    assert (found.scope, found.statement) == ("linux/arm64", STARTED)


def test_each_platform_is_tested_where_the_policy_asks_for_each() -> None:
    why = reasons(of("image", Scope.PLATFORM), STARTED)
    assert "test-result for linux/amd64: nothing that an allowed signer signed says so" in why
    assert "linux/arm64" not in why


def test_suite_of_the_image_are_none_of_the_wheel() -> None:
    [found] = decide(of("wheel"), IMAGE, [THE_WHEEL], {}, now=NOON)
    assert found.statement == THE_WHEEL
    assert "it is of the image, and the policy asks for that of the wheel" in reasons(
        of("wheel", Scope.PLATFORM), STARTED
    )


@pytest.mark.parametrize("statement", [NOTHING, ANOTHER_PLATFORM])
def test_suite_of_something_else_are_of_nothing_known(statement: Statement) -> None:
    assert "it is of nothing known" in reasons(of("image"), statement)


def test_a_release_is_judged_by_the_suite_of_the_shipped_bytes() -> None:
    data = (HOME / "policy" / "verification.toml").read_bytes()
    assert [Policy.read(data, name).rules.test_result_of for name in ("production", "dry-run")] == ["image", None]


# What is said of an image when it has been published, or deployed: no policy asks a release for it.
AFTER_A_RELEASE = {
    *(PredicateType.SUMMARY, PredicateType.RENDERED_SET, PredicateType.DEPLOYMENT, PredicateType.REVOCATION),
    PredicateType.REBUILD,
}


def real(kind: PredicateType) -> Policy:
    """Return a policy that requires one thing, and trusts more than what a run has left."""
    base = only(kind)
    return replace(base, rules=base.rules.model_copy(update={"trust_root": TrustRoot.PUBLIC}))


def rehearsed(**changes: object) -> dict[str, Any]:
    """Return the provenance of a release from a clean tree, with some of it changed."""
    made = {"world": "release", "dirty": False, **changes}
    predicate = json.loads(json.dumps(PROVENANCE))
    predicate["buildDefinition"]["internalParameters"] = {"world": made["world"]}
    predicate["buildDefinition"]["resolvedDependencies"][0]["annotations"] = {"dirty": made["dirty"]}
    return dict(predicate)


def scanned(sample: object) -> dict[str, Any]:
    return {"scanner": {"result": [], "db": {"lastUpdate": "2026", "annotations": {"sample": sample}}}}


@pytest.mark.parametrize(
    ("kind", "predicate", "objection"),
    [
        (PredicateType.PROVENANCE, rehearsed(world="dry-run"), "it was made by a dry-run, and by no release"),
        (PredicateType.PROVENANCE, PROVENANCE, "by a run of no known kind"),
        (PredicateType.PROVENANCE, rehearsed(dirty=True), "a tree that is in no commit"),
        (PredicateType.PROVENANCE, rehearsed(dirty=0), "a tree that is in no commit"),
        (PredicateType.PROVENANCE, rehearsed(dirty=None), "a tree that is in no commit"),
        (PredicateType.VULNS, scanned(True), "its database was the SAMPLE"),
        (PredicateType.VULNS, scanned("no"), "scanner.db.annotations.sample"),
    ],
)
def test_nothing_made_to_try_things_out_passes_where_the_trust_is_real(
    kind: PredicateType, predicate: Mapping[str, Any], objection: str
) -> None:
    assert objection in reasons(real(kind), signed(kind, predicate))


def test_what_a_release_says_passes_where_the_trust_is_real() -> None:
    for kind, predicate in ((PredicateType.PROVENANCE, rehearsed()), (PredicateType.VULNS, scanned(False))):
        assert decide(real(kind), IMAGE, [signed(kind, predicate)], {}, now=NOON)


def test_evidence_made_for_another_repository_is_none_here() -> None:
    found = signed(PredicateType.SIGNATURE, {})  # it names its subjects "a"
    assert decide(only(PredicateType.SIGNATURE), replace(IMAGE, name="a"), [found], {}, now=NOON)
    assert decide(only(PredicateType.SIGNATURE), replace(IMAGE, name=""), [found], {}, now=NOON)
    why = reasons(only(PredicateType.SIGNATURE), found, name="registry.example/b")
    assert "it was made for a, and this is registry.example/b" in why


@pytest.mark.parametrize(
    ("kind", "predicate", "place"),
    [
        (PredicateType.VERDICT, {"properties": RULES_PASSED}, "properties"),
        (PredicateType.VERDICT, {"properties": {RULES_PASSED: True}}, "properties"),
        (PredicateType.VERDICT, {"properties": [RULES_PASSED], VERDICT_FIELD: {"allowed": 1}}, "allowed"),
        (PredicateType.TEST_RESULT, suite("PASSED", "t", []), "passedTests"),
        (PredicateType.TEST_RESULT, suite("PASSED", ["t"], {}), "failedTests"),
        (PredicateType.CYCLONEDX, {**cyclonedx(AMD64), "components": "waitress"}, "components"),
        (PredicateType.SPDX, {**spdx(AMD64), "packages": {"a": 1}}, "packages"),
        (PredicateType.OPENVEX, {**openvex(f"a@{INDEX}"), "@context": ["https://openvex.dev/ns"]}, "@context"),
        (PredicateType.OPENVEX, {"@context": "https://openvex.dev/ns", "statements": ""}, "statements"),
        (PredicateType.VULNS, {"scanner": {"result": [], "db": {"lastUpdate": 2026}}}, "lastUpdate"),
        (PredicateType.SUMMARY, {"verificationResult": ["PASSED"]}, "verificationResult"),
        (PredicateType.PROVENANCE, {**PROVENANCE, "runDetails": {"builder": {"id": None}}}, "runDetails.builder.id"),
    ],
)
def test_a_field_of_another_type_is_no_such_field(
    kind: PredicateType, predicate: Mapping[str, Any], place: str
) -> None:
    why = reasons(only(kind), signed(kind, predicate))
    assert "its content is malformed" in why
    assert place in why


def test_a_result_that_contradicts_its_own_verdict_is_refused() -> None:
    predicate = {"properties": [RULES_PASSED], VERDICT_FIELD: {"allowed": False}}
    why = reasons(only(PredicateType.VERDICT), signed(PredicateType.VERDICT, predicate))
    assert "the verdict is not to allow this image" in why


@pytest.mark.parametrize("context", ["https://openvex.dev/nsa", "https://openvex.dev/ns.example/v1", ""])
def test_another_vocabulary_that_begins_alike_is_not_openvex(context: str) -> None:
    predicate = {**openvex(f"a@{INDEX}"), "@context": context}
    assert "it is not OpenVEX" in reasons(only(PredicateType.OPENVEX), signed(PredicateType.OPENVEX, predicate))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b'{"_type": "https://in-toto.io/Statement/v0.1", "subject": [], "predicateType": "x"}',
        b'{"_type": "https://in-toto.io/Statement/v1", "subject": {}, "predicateType": "x"}',
    ],
)
def test_what_is_no_statement_of_version_1_is_refused(data: bytes) -> None:
    with pytest.raises(VerificationFailed, match="not an in-toto statement"):
        Statement.read(INDEX, ALL, Signed(data, BUILDER, NOON, {}))


def test_malformed_subjects_name_nothing() -> None:
    document = statement(PredicateType.SIGNATURE, [Subject("a", INDEX)], {})
    document["subject"] = [1, {"digest": {"sha256": "XY"}}, {}]
    found = Statement.read(INDEX, ALL, Signed(json.dumps(document).encode(), BUILDER, NOON, {}))
    assert found.subjects == frozenset()


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('provenance = "image"', 'provenence = "image"', "is not a kind of statement"),
        ('"image"', '"sometimes"', "require.provenance"),
        ("slsa-build-level = 1", "slsa-build-level = 4", "slsa-build-level: 4 is above 3"),
        ("slsa-build-level = 1", "slsa-build-level = 3", "3 is not for what a run signs by an authority of its own"),
        ('trust-root = "run"', 'trust-root = "file"', "trust-root-file"),
        ('trust-root = "run"', 'trust-rot = "run"', "did you mean trust-root?"),
        ('statements = ["vulns"]', 'statements = ["vuln"]', "is not a kind of statement"),
    ],
)
def test_a_policy_that_is_wrong_says_where(before: str, after: str, complaint: str) -> None:
    assert before in TEXT
    with pytest.raises(ConfigError) as failure:
        policy(TEXT.replace(before, after, 1))
    assert complaint in "\n".join(failure.value.why)


def test_a_policy_without_signers_is_invalid_and_not_open_to_all() -> None:
    text = '[require]\nsignature = "image"\n[policies.p]\ntrust-root = "run"\nslsa-build-level = 1\nsigners = []\n'
    with pytest.raises(ConfigError):
        policy(text)


def test_a_policy_that_requires_nothing_is_invalid() -> None:
    with pytest.raises(ConfigError):
        policy(TEXT.replace('provenance = "image"\ncyclonedx = "platform"\n', ""))


def test_a_policy_of_another_name_is_not_there() -> None:
    with pytest.raises(ConfigError, match="no policy q"):
        policy(name="q")


def test_the_projects_own_policies_require_every_kind_but_the_summary_that_comes_after() -> None:
    data = (HOME / "policy" / "verification.toml").read_bytes()
    for name, trust_root in (("production", TrustRoot.PUBLIC), ("dry-run", TrustRoot.RUN)):
        found = Policy.read(data, name)
        assert found.rules.trust_root is trust_root
        assert set(found.require) == set(PredicateType) - AFTER_A_RELEASE


def test_production_trusts_nobody_of_a_dry_run() -> None:
    data = (HOME / "policy" / "verification.toml").read_bytes()
    production, dry_run = Policy.read(data, "production"), Policy.read(data, "dry-run")
    assert (len(production.named), len(dry_run.named)) == (1, 1)
    assert not production.named & dry_run.named
    assert all(who.issuer.endswith(".invalid") and ".invalid/" in who.identity for who in dry_run.named)


def test_whoever_brings_the_image_may_not_bring_the_reason_to_trust_it(tmp_path: Path) -> None:
    data = (HOME / "policy" / "verification.toml").read_bytes()
    given, public = tmp_path / "given.json", tmp_path / "public.json"
    with pytest.raises(VerificationFailed, match="the policy production does not trust"):
        Policy.read(data, "production").root(given, public, tmp_path)
    assert Policy.read(data, "production").root(None, public, tmp_path) == public
    with pytest.raises(VerificationFailed, match="needs the trust root of a run"):
        Policy.read(data, "dry-run").root(None, public, tmp_path)
    assert Policy.read(data, "dry-run").root(given, public, tmp_path) == given
    file = policy(TEXT.replace('"run"', '"file"\ntrust-root-file = "root.json"'))
    assert file.root(None, public, tmp_path) == tmp_path / "root.json"
