"""Gather, once and at the edge, what the repository says of itself."""

from pathlib import Path

from pipeline.digest import Digest
from pipeline.errors import ConfigError, ToolFailed, UsageError
from pipeline.stage import Context


async def facts(context: Context) -> str:
    """Write facts.json: revision, commit time (seconds), repository, ref, dirty or not, digest of the source tree."""
    root = context.config.root
    try:
        revision = await _git(context, root, "rev-parse", "--verify", "HEAD")
    except ToolFailed as error:
        if "exit code" not in error.what:
            raise
        raise ConfigError(
            f"{root} is not a git repository with a commit",
            why=error.why,
            do="provenance names a commit: run `git init` and commit the project",
        ) from error
    changed = (await _git(context, root, "status", "--porcelain", "--untracked-files=all")).splitlines()
    listed = await _git(context, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    tree = _digest_of(root, sorted({name for name in listed.split("\0") if name}))
    found = {
        "revision": revision,
        "commit_time": int(await _git(context, root, "show", "--no-patch", "--format=%ct", "HEAD")),
        "repository": await _optional(context, root, "config", "--get", "remote.origin.url"),
        "ref": await _optional(context, root, "symbolic-ref", "--quiet", "HEAD"),
        "dirty": bool(changed),
        "changed": changed[:20],
        "tree": str(tree),
    }
    context.write_json("facts.json", found)
    if changed and context.world.name == "release":
        raise UsageError(
            "the working tree has changes that are in no commit",
            why=changed[:10],
            do="commit or discard them: a release is made from a commit",
        )
    if changed:
        context.say(f"the working tree is dirty: {len(changed)} files differ from {revision[:12]}")
    return f"{revision[:12]}" + (f", dirty ({len(changed)} files)" if changed else ", clean")


async def _git(context: Context, root: Path, *arguments: str) -> str:
    # The checkout may belong to somebody else, and its configuration may not make us start programs.
    safe = ("-c", f"safe.directory={root}", "-c", "core.fsmonitor=false")
    done = await context.tools.run("git", *safe, "-C", root, *arguments, env={"GIT_OPTIONAL_LOCKS": "0"})
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


async def _optional(context: Context, root: Path, *arguments: str) -> str:
    """Return what git answers, or nothing where it has no answer (no remote, a detached HEAD)."""
    try:
        return await _git(context, root, *arguments)
    except ToolFailed as error:
        if "exit code 1" not in error.what:
            raise
        return ""


def _digest_of(root: Path, names: list[str]) -> Digest:
    """Digest the files that git knows of, as they are now: path, executable bit, content."""
    lines = []
    for name in names:
        path = root / name
        if path.is_symlink():
            lines.append(f"l {path.readlink()} {name}")
        elif path.is_file():
            lines.append(f"{'x' if path.stat().st_mode & 0o100 else 'f'} {Digest.of_file(path).hex} {name}")
    return Digest.of("\0".join(lines).encode("utf-8", "surrogateescape"))
