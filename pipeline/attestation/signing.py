"""Sign statements with the real Cosign, by an identity and not by a key that anybody has to keep.

Cosign asks a certificate authority for a certificate of a few minutes, signs, and has the signature logged. Which
authority, and whose identity, is the world's business; a token passes by the environment, never on a command line.
"""

import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio

from pipeline.config import Sign
from pipeline.errors import RemoteFailed, ToolFailed, UsageError
from pipeline.toolbox import Toolbox

TOKEN_VARIABLE = "SIGSTORE_ID_TOKEN"  # noqa: S105 - the name of a variable, and Cosign's own
GITHUB = "https://github.com/"

# What a certificate may say about a build, by the name that we use and Fulcio's number (Fulcio, docs/oid-info.md).
CERTIFICATE_CLAIMS: Mapping[str, int] = {
    "build_signer_uri": 9,
    "runner_environment": 11,
    "source_repository_uri": 12,
    "source_repository_digest": 13,
    "source_repository_ref": 14,
    "run_invocation_uri": 21,
}


@dataclass(frozen=True)
class Signer:
    """An identity that signs.

    Args:
        tools: where Cosign comes from.
        authority: who certifies it, in words that may stand in a summary.
        builder: the identity as provenance names it.
        token: gives the identity token; it takes what the build says of itself, which a local authority repeats in
            the certificate and a public one knows better.
        signing_config: where the services are; None means the public ones, by Cosign's own means.
        trusted_root: what verifies them; None likewise.
    """

    tools: Toolbox
    authority: str
    builder: str
    token: Callable[[Mapping[str, str]], str]
    signing_config: Path | None = None
    trusted_root: Path | None = None

    async def sign(self, statement: Path, bundle: Path, claims: Mapping[str, str] = MappingProxyType({})) -> None:
        """Sign an in-toto statement as it is, and write the Sigstore bundle.

        Args:
            statement: the file to sign.
            bundle: the file to write.
            claims: what the build says of itself, by the names of `CERTIFICATE_CLAIMS`.

        Raises:
            RemoteFailed: the authority or the log refused, or did not answer.
            ToolFailed: Cosign is missing or altered.
        """
        arguments: list[str | Path] = ["attest-blob", "--statement", statement, "--bundle", bundle, "--yes"]
        if self.signing_config:
            arguments += ["--signing-config", self.signing_config]
        if self.trusted_root:
            arguments += ["--trusted-root", self.trusted_root]
        try:
            await self.tools.run("cosign", *arguments, env={TOKEN_VARIABLE: self.token(claims)}, timeout=120)
        except ToolFailed as error:
            if "exit code" not in error.what and "more than" not in error.what:
                raise
            raise RemoteFailed(
                f"{self.authority} did not sign {statement.name}",
                why=error.why,
                do="see whether the signing services are up and the identity token is valid, then run this again",
            ) from error
        await anyio.Path(bundle).chmod(0o644)  # Cosign lets nobody else read it, and it is evidence for all


@asynccontextmanager
async def release_signer(tools: Toolbox, sign: Sign) -> AsyncIterator[Signer]:
    """Give the signer of a release: the identity of this CI job, or the one whose token is in the environment.

    Raises:
        UsageError: there is no identity to sign with.
        RemoteFailed: this CI system did not give its token.
    """
    token = os.environ.get(TOKEN_VARIABLE) or _ambient()
    if not token:
        raise UsageError(
            "there is no identity to sign with",
            why=f"this is no CI job that Sigstore knows, and {TOKEN_VARIABLE} is not set",
            do=f"release from CI, or put an OpenID Connect token for the audience sigstore into {TOKEN_VARIABLE}",
        )
    yield Signer(
        tools,
        "Sigstore" if sign.signing_config is None else "the configured signing authority",
        sign.identity or identity_of(token),
        lambda _: token,
        sign.signing_config,
        sign.trusted_root,
    )


def _ambient() -> str | None:
    from sigstore.oidc import detect_credential  # noqa: PLC0415 - slow, and only a release without a token asks

    try:
        return detect_credential()
    except Exception as error:  # the library raises plain exceptions for whatever the CI system answers
        raise RemoteFailed(
            "this CI system did not give an identity token", why=str(error), do="allow the job `id-token: write`"
        ) from error


def identity_of(token: str) -> str:
    """Return the identity that Fulcio will certify for a token, whose signature only Fulcio can check.

    Source: Fulcio, docs/oidc.md: a GitHub job is named by its workflow, a person by e-mail, others by subject.
    """
    try:
        body = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if "job_workflow_ref" in claims:
            return f"{GITHUB}{claims['job_workflow_ref']}"
        return str(claims.get("email") or claims["sub"])
    except (IndexError, KeyError, ValueError, AttributeError) as error:
        raise UsageError(
            "the identity token cannot be read", why=type(error).__name__, do=f"correct {TOKEN_VARIABLE}"
        ) from error
