"""Make an image's layers: take over those that an earlier run made from the same, compile and write the others."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from shipseal.digest import Digest
from shipseal.errors import SubjectFailed
from shipseal.image import rootfs
from shipseal.image.bytecode import Interpreter, Job
from shipseal.image.layer_cache import Written
from shipseal.image.rootfs import LayerSource
from shipseal.image.tree import Component
from shipseal.oci import layer
from shipseal.oci.blobs import Blobs
from shipseal.oci.layer import Entry

Parts = Mapping[Digest, LayerSource]
"""The layers of one platform, in their order, by the digest of all that decides their bytes."""

_Owned = Mapping[Component, list[Entry]]


@dataclass(frozen=True)
class Layering:
    """How layers are made.

    Args:
        blobs: where they go.
        interpreter: compiles for all platforms.
        whole: sources stay, with their byte code beside them.
        work: a scratch directory.
        say: is told what is being done.
    """

    blobs: Blobs
    interpreter: Interpreter
    whole: bool
    work: Path
    say: Callable[[str], None]

    async def make(
        self, platforms: Collection[Parts], earlier: Mapping[Digest, Written], layout: Path
    ) -> dict[Digest, Written]:
        """Return every layer that the platforms need; the same on two of them is made once.

        Args:
            earlier: layers that were made before, by what decided their bytes.
            layout: where those are.

        Raises:
            SubjectFailed: a source does not compile, or two layers of a platform do not go together.
        """
        every = {inputs: part for parts in platforms for inputs, part in parts.items()}
        kept = {inputs: earlier[inputs] for inputs in every if inputs in earlier}
        entries = await self._compile({inputs: part for inputs, part in every.items() if inputs not in kept})
        for parts in platforms:
            layer.check([_entries(part, entries.get(inputs) or kept[inputs]) for inputs, part in parts.items()])
        self.say("writing layers")
        self.blobs.begin()
        for each in kept.values():
            await anyio.to_thread.run_sync(self.blobs.take_over, each.layer, layout)
        new = await self.blobs.write({inputs: _entries(every[inputs], owned) for inputs, owned in entries.items()})
        return {**kept, **{inputs: Written.of(new[inputs], owned) for inputs, owned in entries.items()}}

    async def _compile(self, parts: Parts) -> dict[Digest, _Owned]:
        """Return what is in some layers, by owner, once it is compiled."""
        self.say("compiling")
        target = self.work / "compiled"
        await anyio.Path(target).mkdir()
        jobs = await anyio.to_thread.run_sync(self._jobs, parts, target)
        every = {job.target: job for mine in jobs.values() for job in mine.values()}
        failed = await self.interpreter.compile(list(every.values()), self.work / "compile.json")
        for part in parts.values():
            _refuse(failed, part, whole=self.whole)
        return {
            inputs: rootfs.entries(
                part,
                {path: job.target for path, job in jobs[inputs].items() if job.name not in failed},
                sources=self.whole,
            )
            for inputs, part in parts.items()
        }

    def _jobs(self, parts: Parts, target: Path) -> dict[Digest, dict[str, Job]]:
        """Return by layer what has to be compiled; code of the same bytes and name is compiled once for all of them."""
        known: dict[tuple[str, Digest], Job] = {}
        return {inputs: rootfs.jobs(part, known, target, whole=self.whole) for inputs, part in parts.items()}


def _entries(part: LayerSource, content: _Owned | Written) -> list[Entry]:
    """Return all entries of a layer; of one that is taken over the paths alone, its links were checked before."""
    own = rootfs.GENERATED if part.name == "runtime" else ()
    if isinstance(content, Written):
        return [*own, *(Entry(path) for paths in content.files.values() for path in paths)]
    return [*own, *(entry for entries in content.values() for entry in entries)]


def _refuse(failed: Mapping[str, str], part: LayerSource, *, whole: bool) -> None:
    """Refuse sources that do not compile; those of a whole wheel may be for another Python, if nobody needs them."""
    for name, message in failed.items():
        file = part.tree.files.get(name.lstrip("/"))
        if file and (not whole or file.owner == part.tree.service):
            raise SubjectFailed(
                f"{file.path} of {file.owner.name} does not compile",
                why=message.strip().splitlines(),
                remedy=f"correct it; the image has Python {part.tree.runtime.python}",
            )
