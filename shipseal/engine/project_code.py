"""Run code of the project under build: its build backend, and its tests.

Where bubblewrap can, they see this machine read-only and without its user's home, reach nothing, write where they are
told to and nowhere else, and end with their command: a process namespace lets none of theirs live on. Elsewhere they
run with the rights of this process, which is said. In a container of the Dagger engine that is the container.
"""

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from shipseal.engine.stage import Context
from shipseal.errors import ShipsealError
from shipseal.project.config import CODE
from shipseal.tools.outputs import Completed

NAME = "bwrap"
_NAMESPACES = ("pid", "net", "ipc", "uts")
# Hidden: other programs' files, the sockets of daemons (Docker's gives whoever asks this whole machine), credentials.
_HIDDEN = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - inside, each is a new one


async def run(
    context: Context,
    *argv: str | Path,
    work: Path,
    writable: Collection[Path] = (),
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 900,  # noqa: ASYNC109 - it belongs to the process, as in Toolbox.run
    ok: Collection[int] = (0,),
) -> Completed:
    """Run a command of the project's, in bubblewrap where that can be.

    Args:
        context: the stage's.
        argv: the program's path and its arguments.
        work: a scratch directory, which it may write.
        writable: other directories that it may write.
        cwd: where it runs; `work` by default.
        env: added to the stage's environment.
        timeout: seconds, after which all of it is killed.
        ok: exit codes that are no failure.

    Raises:
        ToolFailed: it ran too long, or ended with another code.
    """
    apart = _apart(context, {work, *writable})
    try:
        await context.tools.run(NAME, *apart, "--", "/bin/true", timeout=20)
    except ShipsealError as error:
        why = f"{error.what}: {error.why[-1]}" if error.why else error.what
        context.say(f"the project's code runs with the rights of this process, not in bubblewrap ({why})")
        program, *arguments = argv
        given = {"cwd": cwd or work, "env": env, "timeout": timeout, "ok": ok}
        return await context.tools.run(Path(program), *arguments, **given)  # type: ignore[arg-type]
    command = (*apart, "--chdir", cwd or work, "--", *argv)
    return await context.tools.run(NAME, *command, env=env, timeout=timeout, ok=ok)


def _apart(context: Context, writable: Collection[Path]) -> list[str | Path]:
    """Return what bubblewrap is told: later mounts lie over earlier ones."""
    home = Path(os.environ.get("HOME", "/")).resolve()
    hidden = [Path(each) for each in _HIDDEN] + ([home] if len(home.parts) > 1 else [])
    # Packages may be installed beside the interpreter's own place: for one user, or shared by a .pth file.
    packages = {Path(each) for each in sys.path if Path(each).name in {"site-packages", "dist-packages"}}
    shown = {Path(sys.prefix), Path(sys.base_prefix), *packages, CODE, context.store.root}
    options: list[str | Path] = [f"--unshare-{each}" for each in _NAMESPACES]
    options += ["--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for path in hidden:
        options += ["--tmpfs", path] if path.is_dir() and not path.is_symlink() else []
    for path in sorted(shown):
        options += ["--ro-bind-try", path, path]
    for path in sorted(writable):
        options += ["--bind", path, path]
    return options
