"""Measure what somebody new waits for: `make newcomer`, from `git clone` to the digest and to a verified image.

Home and cache are empty. What pip and apt would download lies on loopback, so that their downloads are in no figure:
once beside the tools, as on a mirror, and once without them, so that they are built from source. That second run is
stopped as soon as it has shown the digest. The checkout is cloned: what is not committed is not measured.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from shipseal.locked.listing import listing
from shipseal.locked.mirror_writer import Offer, write
from shipseal.locked.store import Store, default_root
from shipseal.project.config import HOME, Config
from tests.origins import served

_OWN = (
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "VIRTUAL_ENV",
    "PIPELINE_MIRROR",
    "MAKEFLAGS",
    "MAKELEVEL",
    "TMPDIR",
)
_SECONDS = 1200
_PYTHON = (3, 11)  # the wheels that the store has for the pipeline itself fit this one


@dataclass
class Seen:
    """What a run has shown: each stage's line and when it came, in seconds since the clone began."""

    cloned: float = 0.0
    code: int | None = None
    ended: float = 0.0
    processor: float = 0.0
    lines: list[str] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def built(self) -> list[str]:
        """The tools that it said it was building."""
        return [line for line in self.lines if line.startswith("tools ") and " building " in line]


@dataclass(frozen=True)
class Ground:
    """Where everything is: what is on loopback, and an environment that knows nothing else."""

    work: Path
    environment: Mapping[str, str]

    def run(self, name: str, mirror: str, stop: Callable[[Seen], bool] = lambda _: False) -> Seen:
        """Clone and type `make dry-run`; stop it as Ctrl-C does as soon as that is asked for."""
        place, seen, began, before = self.work / name, Seen(), time.monotonic(), _processor()
        (place / "tmp").mkdir(parents=True)
        home = {"HOME": str(place), "TMPDIR": str(place / "tmp"), "PIPELINE_MIRROR": mirror}
        subprocess.run(["git", "clone", "-q", f"file://{HOME}", place / "checkout"], check=True)
        seen.cloned = time.monotonic() - began
        with subprocess.Popen(
            ["make", "dry-run"],
            cwd=place / "checkout", env={**self.environment, **home}, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as child:  # fmt: skip
            assert child.stdout
            for line in child.stdout:
                _note(seen, line.rstrip(), time.monotonic() - began)
                if time.monotonic() - began > _SECONDS or stop(seen):
                    os.killpg(child.pid, signal.SIGINT)
                    stop = lambda _: False  # noqa: E731 - once is enough
            seen.code = child.wait()
        seen.ended, seen.processor = time.monotonic() - began, _processor() - before
        return seen


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _note(seen: Seen, line: str, now: float) -> None:
    seen.lines.append(line)
    words = line.split()
    if len(words) > 2 and words[2] == "ok":
        seen.stages[words[0]] = now


def _ground(work: Path, servers: ExitStack) -> tuple[Ground, str, str]:
    """Lay everything out; return it with the address of a mirror, and of one that lacks the tools."""
    config, store = Config.load(HOME / "pipeline.toml"), Store(default_root(os.environ))
    offer = Offer.of(config, store)
    apart = tuple(item for item in offer.items if not item.source.startswith("pkg:golang/"))
    platform = offer.names[-1].replace("-", "/")
    write(offer, store, work / "mirror")
    (work / "no-tools").mkdir()
    (work / "no-tools" / "sha256").symlink_to(work / "mirror" / "sha256")
    (work / "no-tools" / f"{offer.names[-1]}.json").write_bytes(listing(apart, platform))
    addresses = [servers.enter_context(served(work / name)) for name in ("mirror", "no-tools")]
    (work / "wheels").mkdir()
    for item in apart:
        if item.name.endswith(".whl"):
            (work / "wheels" / item.name).symlink_to(store.get(item.digest))
    modules = subprocess.run(["go", "env", "GOMODCACHE", "GOPROXY"], check=True, capture_output=True, text=True).stdout
    cache, proxy = modules.splitlines()
    own = {"PIP_FIND_LINKS": str(work / "wheels"), "GOPROXY": f"file://{cache}/cache/download,{proxy}"}
    if sys.version_info[:2] == _PYTHON:
        own["PIP_NO_INDEX"] = "1"
    users = {name: value for name, value in os.environ.items() if name not in _OWN}
    return Ground(work, {**users, **own}), addresses[0], addresses[1]


def _store(work: Path, name: str) -> set[str]:
    return {entry.path.name for entry in Store(default_root({"HOME": str(work / name)})).entries()}


def _tell(what: str, seen: Seen, stages: Mapping[str, str]) -> None:
    print(f"{what}:")
    print(f"  {seen.cloned:6.1f} s  cloned")
    for stage, text in stages.items():
        print(f"  {seen.stages[stage]:6.1f} s  {text}" if stage in seen.stages else f"       -    {text}: NOT REACHED")
    print(
        f"  {seen.ended:6.1f} s  ended, with code {seen.code}; it took {seen.processor:.1f} s of processor", flush=True
    )


def main() -> int:
    """Measure both; return 1 where the run fails, tools are built although a mirror has them, or the digest waits."""
    wrong = []
    with tempfile.TemporaryDirectory(prefix="newcomer-") as directory, ExitStack() as servers:
        work = Path(directory)
        ground, mirror, without = _ground(work, servers)
        print(f"{os.cpu_count()} processors, {os.getloadavg()[0]:.1f} processes that want one", flush=True)
        shown = {"facts": "the pipeline has begun", "image": "the digest of the image is shown"}
        seen = ground.run("with", mirror)
        _tell("with a mirror", seen, {**shown, "verify": "the image is verified"})
        if seen.code or seen.built or "verify" not in seen.stages:
            wrong.append(["with a mirror:", *seen.built, *seen.lines[-20:]])
        shutil.rmtree(work / "with")
        early: list[set[str]] = []

        def stop(now: Seen) -> bool:
            if "image" in now.stages and not early:
                early.append(_store(work, "without"))
            return "image" in now.stages

        seen = ground.run("without", without, stop)
        _tell("without a mirror, stopped at the digest", seen, shown)
        if not early or "syft" in early[0] or not seen.built:
            wrong.append(["without a mirror the digest did not come before Syft:", *seen.lines[-20:]])
        if left := list((work / "without" / "tmp").iterdir()):
            wrong.append([f"the run that was stopped has left {', '.join(path.name for path in left)}"])
    for lines in wrong:
        print("\n".join(["WRONG", *lines]), file=sys.stderr)
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())
