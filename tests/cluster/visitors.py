"""Let further users into a cluster that runs: its own authority's key is gone, so it is told of another authority."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from shipseal.local.cluster_keys import CertificateAuthority, kubeconfig
from shipseal.local.cluster_parts import ReadinessProbe
from tests.cluster.running import Running, soon


@dataclass(frozen=True)
class Visitors:
    """Users that the API server takes for whoever their certificates say.

    Args:
        directory: where their certificates and kubeconfigs lie.
        server: the URL of the API server.
        trusted: the file of whom to trust for the API server.
        authority: who certifies them.
    """

    directory: Path
    server: str
    trusted: Path
    authority: CertificateAuthority

    @classmethod
    def of(cls, running: Running, directory: Path) -> Self:
        """Have a cluster trust an authority as well: the API server reads the file again when it has changed."""
        server = json.loads(running.kubectl.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        bundle = running.directory / "cluster.crt"
        authority, own = CertificateAuthority(directory, "visitors"), bundle.read_bytes()
        trusted = directory / "cluster.crt"
        trusted.write_bytes(own)
        both = bundle.with_name("both.crt")
        both.write_bytes(own + authority.certificate.read_bytes())
        both.replace(bundle)
        asked = ReadinessProbe(urlsplit(server).port or 0, "/version", trusted, authority.client("first", "first"))
        assert soon(asked.ready, 30), "the API server does not trust the authority of these tests"
        return cls(directory, server, trusted, authority)

    def kubeconfig(self, user: str, group: str = "") -> Path:
        """Return the kubeconfig of a new user, who is in one group."""
        pair = self.authority.client(user, user, group)
        return kubeconfig(self.directory / f"{user}.kubeconfig", self.server, self.trusted, pair)
