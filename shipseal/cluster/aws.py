"""Ask AWS by botocore, as whoever an environment names, and by nothing else of this machine.

botocore by itself also reads files at home, which name programs to start and hosts to ask, and asks the machine's own
metadata service, whose role is not the deploy's. Here neither is done.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import botocore.session  # type: ignore[import-untyped]
from botocore import UNSIGNED
from botocore.auth import SigV4QueryAuth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

from shipseal.address import Address
from shipseal.cluster import github
from shipseal.cluster.aws_refusals import hide, refusal, skew, unreached
from shipseal.errors import ConfigError, RemoteFailed, UsageError

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_FILE, _ROLE, _SESSION = "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"
_LARGEST_TOKEN = 64 << 10  # bytes; AWS takes 20000 characters
# What botocore ends with over an answer of another shape than the service's own.
_UNREADABLE = (ResponseParserError, AttributeError, KeyError, TypeError, ValueError)
_REMEDY = (
    f"set {_KEYS[0]}, {_KEYS[1]} and {_KEYS[2]}, or {_FILE} and {_ROLE}; of a profile: "
    '`eval "$(aws configure export-credentials --profile NAME --format env)"`'
)


@dataclass(frozen=True)
class Keys:
    """Credentials of AWS: `token` belongs to those that end by themselves, and is "" for others."""

    identifier: str
    secret: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class Aws:
    """One region of AWS, asked as one identity.

    Args:
        region: its name.
        environment: the settings `AWS_*` by the names that AWS's own tools have for them: keys or web identity,
            `AWS_ENDPOINT_URL[_SERVICE]`, `AWS_CA_BUNDLE`. Proxies are those of this process. And in a job of GitHub
            where it gives identity tokens, for a role without keys or a file.
        role: the ARN of a role that is taken first, "" for none.
    """

    region: str
    environment: Mapping[str, str] = field(repr=False)
    role: str = ""

    def keys(self) -> Keys:
        """Return credentials that were made, or read, just now; this asks AWS where there is a role to take.

        Raises:
            ConfigError: an address in the environment is none that AWS may be asked at.
            RemoteFailed: AWS does not give them.
            UsageError: the environment names none.
        """
        keys = _own(self.environment) or self._by_web_identity()
        if not self.role:
            return keys
        asked = {"RoleArn": self.role, "RoleSessionName": self._session_name}
        return self._taken(keys, "assume_role", **asked)

    def ask(self, keys: Keys | None, service: str, operation: str, part: str, /, **parameters: str) -> dict[str, Any]:
        """Ask a service of AWS, with no keys unsigned, and return one part of what it answers.

        Raises:
            ConfigError: an address in the environment is none that AWS may be asked at.
            RemoteFailed: AWS refuses, or does not answer.
            UsageError: the certificates that the environment names are not there.
        """
        endpoint = self._endpoint(service)
        try:
            return dict(getattr(self._client(service, keys, endpoint), operation)(**parameters)[part])
        except (BotoCoreError, ClientError, *_UNREADABLE) as error:
            hidden = (keys.secret, keys.token) if keys else (parameters.get("WebIdentityToken", ""),)
            # Not `from error`: its text may hold what is hidden here.
            raise self._failure(error, f"{service}:{operation}", hidden) from None

    def _failure(self, error: Exception, operation: str, hidden: Collection[str]) -> RemoteFailed:
        response = getattr(error, "response", None)
        if not isinstance(response, dict):
            return unreached(
                f"{type(error).__name__}: {hide(str(error), hidden)}", operation, self.region, known=self._is_known
            )
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        said = response.get("Error", {})
        code, message = (hide(str(said.get(key, "")), hidden) for key in ("Code", "Message"))
        return refusal(code, message, operation, self.region, skew(headers.get("date", ""), datetime.now(UTC)))

    def presigned(
        self, keys: Keys, service: str, asked: Mapping[str, str], headers: Mapping[str, str], seconds: int
    ) -> str:
        """Return the address of a request that whoever has it may make as the signer; nobody is asked for it.

        Args:
            keys: the signer's.
            service: which service would be asked: at AWS's own address of it, whatever the environment says.
            asked: the request's parameters.
            headers: what it must be made with.
            seconds: for how long, as far as the service looks at that.
        """
        host = self._client(service, None, None).meta.endpoint_url
        request = AWSRequest("GET", f"{host.rstrip('/')}/", headers=headers, params=asked)
        credentials = Credentials(keys.identifier, keys.secret, keys.token or None)
        SigV4QueryAuth(credentials, service, self.region, expires=seconds).add_auth(request)
        return str(request.url)

    def _by_web_identity(self) -> Keys:
        file, role = (self.environment.get(name, "") for name in (_FILE, _ROLE))
        if role and not file and (token := github.token(self.environment)):
            return self._by_token(role, token)
        if not file or not role:
            named = [name for name in (*_KEYS, _FILE, _ROLE, "AWS_PROFILE") if self.environment.get(name)]
            why = f"of what names them there is only {', '.join(named)}" if named else "the environment names none"
            raise UsageError("there are no AWS credentials", why=why, remedy=_REMEDY)
        try:
            with Path(file).open(encoding="ascii") as stream:
                token = stream.read(_LARGEST_TOKEN).strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not a token"
            raise UsageError(
                f"{_FILE} cannot be read", why=f"{file}: {why}", remedy="name the file with the token"
            ) from error
        return self._by_token(role, token)

    def _by_token(self, role: str, token: str) -> Keys:
        asked = {"RoleArn": role, "RoleSessionName": self._session_name, "WebIdentityToken": token}
        return self._taken(None, "assume_role_with_web_identity", **asked)

    def _taken(self, keys: Keys | None, operation: str, **asked: str) -> Keys:
        found = self.ask(keys, "sts", operation, "Credentials", **asked)
        parts = [str(found.get(name) or "") for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
        if not all(parts):
            raise unreached("it gave no credentials", f"sts:{operation}", self.region, known=True)
        return Keys(*parts)

    @property
    def _session_name(self) -> str:
        return self.environment.get(_SESSION) or "supply-chain-pipeline"

    @cached_property
    def _session(self) -> Any:
        """A session of botocore that reads no variable and no file of its own accord."""
        variables = botocore.session.Session.SESSION_VARIABLES
        blind = {name: (None, None, default, convert) for name, (_, _, default, convert) in variables.items()}
        nowhere = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
        return botocore.session.Session(session_vars={**blind, **nowhere})

    def _client(self, service: str, keys: Keys | None, endpoint: str | None) -> Any:
        config = Config(
            connect_timeout=10,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 3},
            ignore_configured_endpoint_urls=True,
            signature_version=None if keys else UNSIGNED,
        )
        name = "AWS_CA_BUNDLE" if self.environment.get("AWS_CA_BUNDLE") else "SSL_CERT_FILE"
        authorities = self.environment.get(name) or None
        if authorities and not Path(authorities).is_file():
            raise UsageError(
                f"{name} cannot be read", why=f"{authorities} is not a file", remedy="name one, or unset it"
            )
        return self._session.create_client(
            service,
            region_name=self.region,
            endpoint_url=endpoint,
            verify=authorities,
            aws_access_key_id=keys.identifier if keys else "none",
            aws_secret_access_key=keys.secret if keys else "none",
            aws_session_token=(keys.token or None) if keys else None,
            config=config,
        )

    def _endpoint(self, service: str) -> str | None:
        names = (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL")
        name = next((each for each in names if self.environment.get(each)), None)
        if name is None:
            return None
        try:
            address = Address.parse(self.environment[name])
            address.require_private()
        except ValueError as error:
            raise ConfigError(f"{name} is not an address that AWS may be asked at", why=str(error)) from error
        return address.url

    @property
    def _is_known(self) -> bool:
        """Whether botocore, which may be older than it, has heard of the region."""
        partitions = self._session.get_available_partitions()
        return any(self.region in self._session.get_available_regions("eks", each) for each in partitions)


def _own(environment: Mapping[str, str]) -> Keys | None:
    identifier, secret, token = (environment.get(name, "") for name in _KEYS)
    return Keys(identifier, secret, token) if identifier and secret else None
