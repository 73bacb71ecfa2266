"""Lock the base image again: ask its registry which digest its tag has now."""

from dataclasses import replace

from shipseal.digest import Digest
from shipseal.errors import ConfigError, RemoteFailed, ToolFailed, VerificationFailed
from shipseal.locked.inputs import Inputs
from shipseal.relocking.lock_changes import LINE
from shipseal.tools.toolbox import Toolbox


async def relock_base(tools: Toolbox, text: str) -> str:
    """Return a pyproject.toml with the digest that the tag of its base image has now; everything else stays.

    Args:
        tools: ORAS is used, as locked; it logs in to nothing.
        text: the file.

    Raises:
        ConfigError: it names no base image by tag and digest.
        RemoteFailed: the registry does not say.
        ToolFailed: ORAS is not in the store.
    """
    found = LINE.search(text)
    if found is None:
        raise ConfigError(
            "pyproject.toml names no base image by tag and digest",
            remedy='write base-image = "NAME:TAG@sha256:HEX" below [tool.dagger]',
        )
    asking = replace(tools, locked=Inputs.of_tools().locked(), declared=frozenset({"oras"}), commands=[], used={})
    try:
        done = await asking.run("oras", "resolve", "--", _whole(found["name"]))
        digest = Digest.parse(done.stdout.decode("ascii", "replace").strip())
    except (ToolFailed, VerificationFailed) as failure:
        if isinstance(failure, ToolFailed) and not failure.ran:
            raise
        raise RemoteFailed(
            f"the registry does not say which digest {found['name']} has",
            why=[failure.what, *failure.why],
            remedy="see whether this machine reaches it, or name the kinds of locks that are to be made again",
        ) from failure
    return text[: found.start("digest")] + str(digest) + text[found.end("digest") :]


def _whole(name: str) -> str:
    """Return a reference with its registry: what names none is Docker Hub's, and what names nobody is its library's."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"
