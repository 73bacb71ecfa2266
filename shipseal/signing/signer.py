"""Sign statements with the real Cosign, by an identity and not by a key that anybody has to keep.

Cosign asks a certificate authority for a certificate of a few minutes, signs, and has the signature logged. Which
authority, and whose identity, is the world's business; a token passes by the environment, never on a command line.
"""

import os
import resource
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import anyio

from shipseal.errors import RemoteFailed, ToolFailed, UsageError
from shipseal.project.config import Sign
from shipseal.signing.browser import Browser
from shipseal.signing.identity import TOKEN_VARIABLE, Certified, promised
from shipseal.signing.key_settings import PASSWORD, PUBLIC, key_settings
from shipseal.signing.keys import who_of
from shipseal.signing.roots import public_root
from shipseal.tools.toolbox import Toolbox


@dataclass(frozen=True)
class Signer:
    """An identity that signs.

    Args:
        tools: where Cosign comes from.
        authority: who certifies it, in words that may stand in a summary.
        promise: gives what the certificate will say of a build that says something of itself.
        token: gives the identity token; it takes what the build says of itself, which a local authority repeats in
            the certificate and a public one knows better.
        signing_config: where the services are; None means the public ones, by Cosign's own means.
        trusted_root: what verifies them; None likewise.
        key: the file or the address of a key that signs in place of a certificate; empty where there is none.
        settings: what Cosign has to see of this environment for that key.
    """

    tools: Toolbox
    authority: str
    promise: Callable[[Mapping[str, str]], Certified]
    token: Callable[[Mapping[str, str]], str]
    signing_config: Path | None = None
    trusted_root: Path | None = None
    key: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path | None:
        """The trust root of the authority; None where it is somebody's own and was not given."""
        return self.trusted_root or (public_root() if self.signing_config is None else None)

    async def sign(self, statement: Path, bundle: Path, claims: Mapping[str, str] = MappingProxyType({})) -> None:
        """Sign an in-toto statement as it is, and write the Sigstore bundle.

        Args:
            statement: the file to sign.
            bundle: the file to write.
            claims: what the build says of itself, by the names of `CERTIFICATE_CLAIMS`.

        Raises:
            RemoteFailed: the authority or the log refused, or did not answer.
            ToolFailed: Cosign is missing or altered.
            VerificationFailed: the authority certified somebody else.
        """
        arguments: list[str | Path] = ["attest-blob", "--statement", statement, "--bundle", bundle, "--yes"]
        if self.signing_config:
            arguments += ["--signing-config", self.signing_config]
        if self.trusted_root:
            arguments += ["--trusted-root", self.trusted_root]
        if self.key:
            arguments += ["--key", self.key]
        environment = self.settings if self.key else {TOKEN_VARIABLE: self.token(claims)}
        try:
            await self.tools.run("cosign", *arguments, env=environment, timeout=120)
        except ToolFailed as error:
            if not error.ran:
                raise
            raise RemoteFailed(
                f"{self.authority} did not sign {statement.name}",
                why=error.why,
                remedy=f"see whether the signing services are up and the {self._what()} is valid, then run this again",
            ) from error
        if not self.key:  # whether it was the key is seen by whoever verifies the signature
            from shipseal.signing.certificate import require_promised  # noqa: PLC0415 - slow, and few stages sign

            require_promised(await anyio.Path(bundle).read_bytes(), self.promise(claims))
        await anyio.Path(bundle).chmod(0o644)  # Cosign lets nobody else read it, and it is evidence for all

    def _what(self) -> str:
        return "key, with its password," if self.key else "identity token"


@asynccontextmanager
async def release_signer(tools: Toolbox, sign: Sign, browser: Browser | None = None) -> AsyncIterator[Signer]:
    """Give the signer of a release: a key, the identity whose token is in the environment, of this CI job or a person.

    Args:
        tools: for Cosign.
        sign: what is configured of it.
        browser: a person who logs in, where nothing else says who signs.

    Raises:
        UsageError: there is no identity to sign with, or it is not the configured one.
        RemoteFailed: this CI system did not give its token.
    """
    # The token and, in Cosign, the key are in memory, which a core dump would write to a disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sign.key:
        yield await _key_signer(tools, sign)
        return
    token = os.environ.get(TOKEN_VARIABLE) or (await browser.token() if browser else _ambient())
    if not token:
        raise UsageError(
            "there is no identity to sign with",
            why=f"this is not a CI job that Sigstore knows, and {TOKEN_VARIABLE} is not set",
            remedy=f"release from CI, put an OpenID Connect token for the audience sigstore "
            f"into {TOKEN_VARIABLE}, name a "
            "[sign] key, or release from a terminal without --yes, which asks whether to log in by a browser",
        )
    tools.secrets += (token, token.rpartition(".")[2])
    promise = promised(token, sign.identity, sign.issuer)
    _require_configured(promised(token), sign)
    yield Signer(
        tools,
        "Sigstore" if sign.signing_config is None else "the configured signing authority",
        lambda _: promise,
        lambda _: token,
        sign.signing_config,
        sign.trusted_root,
    )


async def _key_signer(tools: Toolbox, sign: Sign) -> Signer:
    """Give the signer that a key is: Cosign tells its public part, which is all that is ever known of it."""
    settings = key_settings(sign.key, os.environ)
    tools.secrets += tuple(value for name, value in settings.items() if value and name not in PUBLIC)
    try:
        told = await tools.run("cosign", "public-key", "--key", sign.key, env=settings, timeout=60)
    except ToolFailed as error:
        if not error.ran:
            raise
        raise UsageError(
            "the key that signs cannot be used",
            why=error.why,
            remedy=f"see whether [sign] key in pipeline.toml names it, and put its password into {PASSWORD}",
        ) from error
    promise = Certified(who_of(told.stdout, "what Cosign tells of the key"))
    return Signer(
        tools,
        "a key",
        lambda _: promise,
        lambda _: "",
        sign.signing_config,
        sign.trusted_root,
        key=sign.key,
        settings=settings,
    )


def _require_configured(promise: Certified, sign: Sign) -> None:
    """Refuse a token of somebody else; an authority with rules of its own is believed until it has certified."""
    if sign.signing_config is not None:
        return
    for what, wanted, found in (
        ("identity", sign.identity, promise.who.identity),
        ("issuer", sign.issuer, promise.who.issuer),
    ):
        if wanted and wanted != found:
            raise UsageError(
                f"the token is not of the {what} that signs this project",
                why=(f"configured  {wanted}", f"token       {found}"),
                remedy=f"sign as who is configured, or correct [sign] {what} in pipeline.toml",
            )


def _ambient() -> str | None:
    from sigstore.oidc import detect_credential  # noqa: PLC0415 - slow, and only a release without a token asks

    try:
        return detect_credential()
    except Exception as error:  # the library raises plain exceptions for whatever the CI system answers
        raise RemoteFailed(
            "this CI system did not give an identity token", why=str(error), remedy="allow the job `id-token: write`"
        ) from error
