"""Look for what is attached to a verified image by the ways of consumers: `verify --discovery` is this."""

import os
import tempfile
from pathlib import Path

import anyio

from shipseal.distribution.credentials import login
from shipseal.distribution.reaching import DIRECTLY, Reach, authorities
from shipseal.distribution.realm import require_own_realm
from shipseal.distribution.registry import Registry
from shipseal.documents.verify import DiscoveryDocument
from shipseal.errors import UsageError
from shipseal.image.verification import VerifiedImage
from shipseal.locked.inputs import Inputs
from shipseal.tools import loopback
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox, ToolStore
from shipseal.verification.discovering import discover


async def discovered(verified: VerifiedImage, *, store: ToolStore, reach: Reach = DIRECTLY) -> DiscoveryDocument:
    """Look in the registry of an image for what was accepted of it.

    Args:
        verified: the image.
        store: where the locked tools are.
        reach: how its registry is reached; no mirror is asked.

    Raises:
        RemoteFailed: the registry did not answer as it should.
        UsageError: it is a layout, which is in no registry.
    """
    reference = verified.reference
    if reference.registry == "layout":
        raise UsageError(
            "a layout is in no registry, where anybody would look", remedy="name the image in its registry"
        )
    with tempfile.TemporaryDirectory(prefix="discover-") as directory, login(os.environ) as found:
        work = Path(directory)
        tools = Toolbox(
            store=store,
            locked=Inputs.of_tools().locked(),
            declared=frozenset({"oras", "cosign"}),
            log=work / "log.txt",
            environment=network_environment(),
            secrets=found.secrets,
            say=reach.say,
        )
        plain = loopback.is_loopback(reference.registry) and not reach.ca_file
        registry = Registry(
            tools, reference.registry, reference.repository, plain, found.environment, authorities(reach.ca_file)
        )
        await require_own_realm(registry, found, reach.realm)
        root = work / "trusted_root.json"
        await anyio.Path(root).write_bytes(verified.root)
        return await discover(
            registry, reference, verified.found, where=registry.host, root=root, keys=verified.policy.keys, work=work
        )
