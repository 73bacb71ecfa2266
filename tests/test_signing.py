"""Real Cosign signs, and two real verifiers agree on what they accept."""

import base64
import json
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sigstore import dsse
from sigstore.models import ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext

from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, ToolFailed, UsageError, VerificationFailed
from shipseal.local.signer import SUBJECT, dry_run_signer
from shipseal.local.sigstore import ISSUER, local_sigstore
from shipseal.locked.store import Store
from shipseal.project.config import Sign
from shipseal.signing.cosign import Accepted, agree
from shipseal.signing.identity import TOKEN_VARIABLE, promised
from shipseal.signing.roots import public_root
from shipseal.signing.signer import Signer, release_signer
from shipseal.signing.verifiers import trusted_root, verify_bundle
from shipseal.statements.builders import PredicateType, Signed, SignerIdentity, Subject, statement
from shipseal.tools.toolbox import Toolbox

BUILDER = SignerIdentity(SUBJECT, ISSUER)
STATEMENT = json.dumps(statement(PredicateType.SIGNATURE, [Subject("a", Digest.of(b"an image"))], {})).encode()
CLAIMS = {"source_repository_uri": "https://git.example/a", "source_repository_digest": "4b825dc6" * 5}
ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


@pytest.fixture
def tools(store: Store, locked: dict[str, Digest], tmp_path: Path) -> Toolbox:
    return Toolbox(store, locked, frozenset({"cosign"}), tmp_path / "log.txt")


@pytest.fixture
async def bundle(tools: Toolbox, tmp_path: Path) -> bytes:
    """Give a bundle, its trust root beside it in trusted_root.json."""
    (tmp_path / "statement.json").write_bytes(STATEMENT)
    async with dry_run_signer(tools, tmp_path) as signer:
        await signer.sign(tmp_path / "statement.json", tmp_path / "bundle.json", CLAIMS)
    return (tmp_path / "bundle.json").read_bytes()


def verified(bundle: bytes, tmp_path: Path, *allowed: SignerIdentity) -> Signed:
    return verify_bundle(bundle, trusted_root(tmp_path / "trusted_root.json"), allowed or (BUILDER,))


async def test_the_very_bytes_of_the_statement_are_signed(bundle: bytes, tmp_path: Path) -> None:
    assert verified(bundle, tmp_path).statement == STATEMENT


async def test_the_bundle_says_who_signed_and_what_was_built(bundle: bytes, tmp_path: Path) -> None:
    found = verified(bundle, tmp_path)
    assert found.who == BUILDER
    assert found.claims == {**CLAIMS, "build_signer_uri": SUBJECT}
    assert found.signed_at.year >= 2026


async def test_one_of_several_who_may_sign_is_enough(bundle: bytes, tmp_path: Path) -> None:
    assert verified(bundle, tmp_path, SignerIdentity("https://else.invalid", ISSUER), BUILDER).who == BUILDER


@pytest.mark.parametrize(
    "who",
    [
        SignerIdentity(SUBJECT + "/", ISSUER),
        SignerIdentity(SUBJECT, "https://else.invalid"),
        SignerIdentity(".*", ISSUER),
    ],
)
async def test_an_identity_is_compared_exactly(bundle: bytes, tmp_path: Path, who: SignerIdentity) -> None:
    with pytest.raises(VerificationFailed, match="refuses the signature"):
        verified(bundle, tmp_path, who)


async def test_nobody_allowed_means_nothing_verifies(bundle: bytes, tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed):
        verify_bundle(bundle, trusted_root(tmp_path / "trusted_root.json"), ())


async def test_the_public_trust_root_refuses_what_a_local_authority_signed(bundle: bytes) -> None:
    with pytest.raises(VerificationFailed, match="refuses the signature"):
        verify_bundle(bundle, trusted_root(public_root()), (BUILDER,))


def _flip_payload(bundle: dict[str, Any]) -> None:
    payload = bytearray(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    payload[-3] ^= 1
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()


def _flip_signature(bundle: dict[str, Any]) -> None:
    (signature,) = bundle["dsseEnvelope"]["signatures"]
    raw = bytearray(base64.b64decode(signature["sig"]))
    raw[-1] ^= 1
    signature["sig"] = base64.b64encode(raw).decode()


def _flip_log_root(bundle: dict[str, Any]) -> None:
    proof = bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    raw = bytearray(base64.b64decode(proof["rootHash"]))
    raw[0] ^= 1
    proof["rootHash"] = base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "damage",
    [
        _flip_payload,
        _flip_signature,
        _flip_log_root,
        lambda bundle: bundle["verificationMaterial"].pop("tlogEntries"),
        lambda bundle: bundle["verificationMaterial"].pop("certificate"),
        lambda bundle: bundle["dsseEnvelope"].update(payloadType="text/plain"),
        lambda bundle: bundle["dsseEnvelope"].update(signatures=[]),
        lambda bundle: bundle.pop("dsseEnvelope"),
        lambda bundle: bundle.update(mediaType="application/json"),
    ],
)
async def test_a_bundle_with_anything_altered_is_refused(
    bundle: bytes, tmp_path: Path, damage: Callable[[dict[str, Any]], object]
) -> None:
    document = json.loads(bundle)
    damage(document)
    with pytest.raises(VerificationFailed):
        verified(json.dumps(document).encode(), tmp_path)


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"\xff", b"[1]"])
async def test_what_is_no_bundle_is_refused_and_no_traceback(bundle: bytes, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(VerificationFailed):
        verified(data, tmp_path)


def test_a_good_signature_over_something_else_than_a_statement_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dsse.Envelope, "_TYPE", "text/plain")  # what sigstore-python always writes is the right type
    with local_sigstore() as services:
        config = {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": services.trusted_root(),
            "signingConfig": services.signing_config(),
        }
        context = SigningContext.from_trust_config(ClientTrustConfig.from_json(json.dumps(config)))
        with context.signer(IdentityToken(services.token(SUBJECT, {}))) as signer:
            bundle = signer.sign_dsse(dsse.Statement(STATEMENT))
        (tmp_path / "trusted_root.json").write_text(json.dumps(services.trusted_root()))
    with pytest.raises(VerificationFailed, match="not an in-toto statement"):
        verified(bundle.to_json().encode(), tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"mediaType": "application/json"}'])
def test_what_is_no_trust_root_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "root.json").write_text(text)
    with pytest.raises(VerificationFailed, match="is not a trust root"):
        trusted_root(tmp_path / "root.json")


async def test_an_authority_that_is_gone_is_a_remote_that_failed(tools: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "statement.json").write_bytes(STATEMENT)
    async with dry_run_signer(tools, tmp_path) as signer:
        pass
    with pytest.raises(RemoteFailed, match=r"a local test authority did not sign statement\.json") as failure:
        await signer.sign(tmp_path / "statement.json", tmp_path / "bundle.json")
    assert failure.value.why


async def test_an_altered_cosign_is_a_tool_that_failed(tools: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "statement.json").write_bytes(STATEMENT)
    broken = Toolbox(tools.store, {"cosign": Digest.of(b"another")}, tools.declared, tools.log)
    async with dry_run_signer(broken, tmp_path) as signer:
        with pytest.raises(ToolFailed, match="is not in the store"):
            await signer.sign(tmp_path / "statement.json", tmp_path / "bundle.json")


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir() if path.is_file())


async def test_no_token_and_no_key_is_written_or_passed_as_an_argument(
    bundle: bytes, tools: Toolbox, tmp_path: Path
) -> None:
    said = json.dumps([command.arguments for command in tools.commands])
    written = everything_in(tmp_path)
    assert bundle in written
    for sign in ("eyJ", "PRIVATE KEY"):
        assert sign not in said
    assert b"PRIVATE KEY" not in written
    assert b"eyJhbGciOiJFUzI1NiI" not in written


def token(claims: dict[str, object]) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("claims", "identity"),
    [
        ({"job_workflow_ref": "a/b/.github/workflows/r.yml@refs/heads/main", "sub": "repo:a/b"}, "https://github.com/a/b/.github/workflows/r.yml@refs/heads/main"),
        ({"email": "me@example.invalid", "sub": "1"}, "me@example.invalid"),
        ({"sub": "https://builder.invalid"}, "https://builder.invalid"),
    ],
)  # fmt: skip
def test_an_identity_is_what_the_authority_will_certify(claims: dict[str, object], identity: str) -> None:
    assert promised(token(claims)).builder == identity


SAID = base64.urlsafe_b64encode(b'{"sub":"https://b"}').decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "a", "a.b.c", "a.e30.c", "a.W10.c", "e30.e30.c2ln"),
        *(f"e30.{SAID}", f"{SAID}.{SAID}.c2ln.c2ln", f"e30.{SAID[:-3]}.c2ln"),
        *(f"e30.{SAID}!.c2ln", f"e30. {SAID}.c2ln", f"W10.{SAID}.c2ln", f"{SAID[:-3]}.{SAID}.c2ln"),
        *(f"e30.{SAID}.c2l", f"e30.{SAID}.\udce9", "e30.MQ.c2ln", "e30.W1sic3ViIiwiYiJdXQ.c2ln"),
        f"e30.{base64.urlsafe_b64encode(b'[' * 99_999).decode()}.c2ln",
        f"e30.{base64.urlsafe_b64encode(b'9' * 9_999).decode()}.c2ln",
    ],
)
def test_a_token_that_cannot_be_read_is_the_users_to_correct(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read") as refused:
        promised(text)
    assert refused.value.remedy == f"correct {TOKEN_VARIABLE}"


def test_a_token_is_read_whoever_has_signed_it_and_however_old_it_is() -> None:
    assert promised(f"e30.{SAID}.c2ln").builder == "https://b"
    assert promised(token({"sub": "https://b", "exp": 1, "nbf": 1 << 40, "aud": "other"})).builder == "https://b"


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on a machine that is no CI job, and has no token."""
    for name in (TOKEN_VARIABLE, "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE", "BUILDKITE_AGENT_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)


async def released(tools: Toolbox, sign: Sign) -> Signer:
    async with release_signer(tools, sign) as signer:
        return signer


def section(**values: object) -> Sign:
    return Sign.model_validate(values, context={"root": Path("/")})


async def test_a_release_without_an_identity_says_how_to_get_one(nowhere: None, tools: Toolbox) -> None:
    with pytest.raises(UsageError, match="no identity to sign with"):
        await released(tools, section())


async def test_a_release_signs_as_the_identity_of_its_token(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, tools: Toolbox
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token({"email": "me@example.invalid"}))
    signer = await released(tools, section())
    assert (signer.promise({}).builder, signer.authority) == ("me@example.invalid", "Sigstore")
    configured = await released(tools, section(**{"identity": "https://b", "signing-config": "/s.json"}))
    assert (configured.promise({}).builder, configured.authority) == ("https://b", "the configured signing authority")


async def test_the_process_that_has_a_token_leaves_no_core_dump(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, tools: Toolbox
) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    monkeypatch.setenv(TOKEN_VARIABLE, token({"sub": "https://b"}))
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
        await released(tools, section())
        assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.mark.parametrize(("key", "wanted"), [("identity", "https://else"), ("issuer", "https://else.invalid")])
async def test_a_token_of_somebody_else_than_is_configured_signs_nothing(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, tools: Toolbox, key: str, wanted: str
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token({"sub": "https://b", "iss": "https://issuer.invalid"}))
    with pytest.raises(UsageError, match=f"not of the {key} that signs this project"):
        await released(tools, section(**{key: wanted}))
    await released(tools, section(identity="https://b", issuer="https://issuer.invalid"))


async def test_a_job_that_may_not_ask_for_its_identity_is_told_which_permission_it_lacks(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, tools: Toolbox
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", raising=False)
    with pytest.raises(RemoteFailed, match="did not give an identity token") as failure:
        await released(tools, section())
    assert failure.value.remedy == "allow the job `id-token: write`"


@contextmanager
def issuer(status: int, answer: object) -> Iterator[str]:
    """Answer every request for a token, on a free port of loopback, as a CI system does."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/?"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_a_ci_job_signs_as_its_workflow(nowhere: None, monkeypatch: pytest.MonkeyPatch, tools: Toolbox) -> None:
    workflow = "acme/app/.github/workflows/release.yml@refs/heads/main"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer")
    with issuer(200, {"value": token({"aud": "sigstore", "job_workflow_ref": workflow})}) as url:
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url)
        signer = await released(tools, section())
    assert signer.promise({}).builder == f"https://github.com/{workflow}"
    ambient = signer.token({})
    assert "[redacted]" in tools.last_words(f"the answer was {ambient}".encode())[0], (
        "it is not a variable of the stage"
    )
    assert ambient.rpartition(".")[2] in tools.secrets
    assert promised(signer.token({})) == signer.promise({})


async def test_a_ci_system_that_answers_with_an_error_is_a_remote_that_failed(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, tools: Toolbox
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer")
    with issuer(500, {}) as url:
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url)
        with pytest.raises(RemoteFailed, match="did not give an identity token"):
            await released(tools, section())


def test_verifiers_that_accept_the_same_agree() -> None:
    agree("here", {ONE: "a", TWO: "b"}, Accepted({TWO: "b", ONE: "a"}))
    agree("here", {}, Accepted({}, ("no matching attestations",)))


def test_a_disagreement_is_named_by_who_accepts_what() -> None:
    with pytest.raises(VerificationFailed, match="the two verifiers disagree about a, b on here") as failure:
        agree("here", {ONE: "a"}, Accepted({TWO: "b"}, ("bad checkpoint",)))
    assert failure.value.why == (
        f"sigstore-python accepts the statement {ONE}, Cosign does not",
        f"Cosign accepts the statement {TWO}, sigstore-python does not",
        "Cosign says: bad checkpoint",
    )


def test_one_that_accepts_something_where_the_other_accepts_nothing_is_a_disagreement() -> None:
    with pytest.raises(VerificationFailed, match="disagree about b on here"):
        agree("here", {}, Accepted({TWO: "b"}))
    with pytest.raises(VerificationFailed, match="disagree about a on here"):
        agree("here", {ONE: "a"}, Accepted({}))
