"""Say how an API server is reached, and as whom. Pure."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Token = Callable[[], Awaitable[str]]
"""Gives a bearer token that is good now; it may be asked before each request."""


@dataclass(frozen=True)
class Access:
    """One user of one cluster.

    Args:
        server: the API server's address, `https://HOST:PORT`; a path may follow. `http` on loopback alone.
        context: what people call this access: the context of a kubeconfig, or the name of a cluster.
        namespace: where commands work that name no namespace.
        authority: who certifies the server, as PEM; empty: those that this machine trusts.
        server_name: the name in the server's certificate, where it is not the host of `server`.
        certificate: the user's certificate, as PEM, and whatever leads from it to the authority.
        key: its key, as PEM; never written to a disk.
        token: the user's bearer token, where the user has no certificate.
        proxy: the address of a proxy of HTTP; empty: what the environment says (`HTTPS_PROXY`, `NO_PROXY`).
    """

    server: str
    context: str
    namespace: str
    authority: str
    server_name: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)
    token: Token | None = field(default=None, repr=False)
    proxy: str = field(default="", repr=False)  # its address may hold a login
