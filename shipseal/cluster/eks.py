"""Reach a cluster of Amazon EKS: where it is, by DescribeCluster, and as whom, by a token that AWS's credentials sign.

The token is the one of aws-iam-authenticator ("API Authorization from Outside a Cluster" in its README, and
`pkg/token`): `k8s-aws-v1.`, and in base64 the address of a request to STS that asks who its signer is. The cluster
sends that request, with its own name in a header that is signed too: a token is good for one cluster. It is made here
without asking anybody, and is in no file and on no command line.
"""

import base64
import binascii
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
from cryptography import x509

from shipseal.cluster.access import Access
from shipseal.errors import ConfigError, RemoteFailed
from shipseal.grammar import Form

if TYPE_CHECKING:
    from shipseal.cluster.aws import Aws

Result = TypeVar("Result")

NAME = Form("name of an EKS cluster", r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}")
"""Amazon EKS API reference, CreateCluster, `name`."""
REGION = Form("region of AWS", r"[a-z]{2}(-[a-z]{1,16}){1,3}-[0-9]")
"""It becomes part of a host's name, and can choose none: no dot fits."""
ROLE = Form("ARN of an IAM role", r"arn:aws[a-z-]{0,16}:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,400}")
"""IAM user guide, "IAM identifiers"."""

HEADER = "x-k8s-aws-id"
PREFIX = "k8s-aws-v1."
RENEWED = 600
"""Seconds after which a token is made anew: STS takes it for 15 minutes, less what two clocks may differ."""
_EXPIRES = 60  # seconds; STS does not look at it, and old authenticators want it between 0 and 60
_ENDPOINT = re.compile(r"https://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?/?")
_ARN = re.compile(r"arn:aws[a-z-]*:eks:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]+")


async def access(name: str, region: str, role: str, *, environment: Mapping[str, str]) -> Access:
    """Return how a cluster of EKS is reached, and a token for it that renews itself.

    Args:
        name: the cluster's name.
        region: the region that it is in.
        role: the ARN of the role that asks AWS and the cluster, "" for whoever the environment names.
        environment: AWS's settings (`AWS_*`), and nothing else of this machine.

    Raises:
        ConfigError: a name has another form than AWS gives such names, or an address in the environment is none.
        RemoteFailed: AWS knows no such cluster or credentials, refuses them, or does not answer.
        UsageError: the environment names no credentials.
    """
    for key, form, value in (("name", NAME, name), ("region", REGION, region), ("role", ROLE, role)):
        if value or key != "role":
            _check(f"[deploy.eks] {key}", form, value)
    from shipseal.cluster.aws import Aws  # noqa: PLC0415 - botocore is slow, and most clusters are reached without it

    aws = Aws(region, environment, role)
    found = await _aside(partial(_describe, aws, name))
    tokens = Tokens(partial(_aside, partial(signed, aws, name)))
    return Access(found.server, found.arn, "default", found.authority, token=tokens)


@dataclass
class Tokens:
    """A token that is made when it is first asked for, and anew when it has become old.

    Args:
        make: makes one.
        clock: tells the time of day in seconds; the other clock of a machine stands while it sleeps.
    """

    make: Callable[[], Awaitable[str]]
    clock: Callable[[], float] = time.time
    _token: str = field(default="", init=False, repr=False)
    _made: float = field(default=0, init=False)
    _lock: anyio.Lock = field(default_factory=anyio.Lock, init=False, repr=False)

    async def __call__(self) -> str:
        """Return a token that is good for some minutes; raise what making one raises."""
        async with self._lock:
            if not self._token or not 0 <= self.clock() - self._made < RENEWED:
                self._made, self._token = self.clock(), await self.make()
            return self._token


def signed(aws: "Aws", name: str) -> str:
    """Return a token that says to the cluster `name` whose AWS's credentials are, made now.

    Raises:
        RemoteFailed: AWS does not give credentials for the role that is to be taken.
        UsageError: there are none.
    """
    asked = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
    address = aws.presigned(aws.keys(), "sts", asked, {HEADER: name}, _EXPIRES)
    return PREFIX + base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")


@dataclass(frozen=True)
class _Cluster:
    """What AWS says of a cluster."""

    arn: str
    server: str
    authority: str


def _describe(aws: "Aws", name: str) -> _Cluster:
    said = aws.ask(aws.keys(), "eks", "describe_cluster", "cluster", name=name)
    arn, server = (_text(said.get(key)) for key in ("arn", "endpoint"))
    certified = said.get("certificateAuthority")
    authority = _authority(_text(certified.get("data"))) if isinstance(certified, dict) else ""
    if not _ARN.fullmatch(arn) or not _ENDPOINT.fullmatch(server) or not authority:
        raise RemoteFailed(
            f"AWS does not say how the cluster {name} is reached",
            why=f"its status is {_text(said.get('status'))!r}, its endpoint {server!r}"[:300],
            remedy="wait until the cluster is ACTIVE; it needs an endpoint by https and a certificate authority",
        )
    return _Cluster(arn, server.rstrip("/"), authority)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _authority(data: str) -> str:
    """Return the certificates (PEM) in what AWS has in base64, "" where there are none."""
    try:
        text = base64.b64decode(data, validate=True)
        return text.decode("ascii") if x509.load_pem_x509_certificates(text) else ""
    except (binascii.Error, ValueError):
        return ""


def _check(key: str, form: Form, value: str) -> None:
    try:
        form.check(value, key)
    except ValueError as error:
        raise ConfigError(str(error), remedy=f"correct {key} in pipeline.toml") from error


async def _aside(work: Callable[[], Result]) -> Result:
    """Do what waits for the network in a thread: botocore knows no other way."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
