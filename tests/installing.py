"""Build the wheel of this checkout and install it where no checkout is, as a user has it."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from shipseal.project.config import HOME

PIP = (sys.executable, "-P", "-m", "pip", "-q", "--disable-pip-version-check")


def wheel(work: Path) -> Path:
    """Build the wheel of what the checkout has now.

    Args:
        work: an empty directory.
    """
    source = work / "source"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=HOME, check=True, capture_output=True).stdout
    for name in names.decode().split("\0")[:-1]:
        if (HOME / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((HOME / name).read_bytes())
    built = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(work), str(source)]
    subprocess.run(built, check=True)
    [made] = work.glob("*.whl")
    return made


def install(work: Path, needed: Path | None = None) -> Path:
    """Return the command of the installed wheel, with the packages that it needs, and none of them from a checkout.

    Args:
        work: an empty directory.
        needed: the lock of those packages, which an index has; else they are seen where this interpreter has them.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(work / "venv")], check=True)
    python = work / "venv" / "bin" / "python"
    pip = [*PIP, "--python", str(python), "install", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel(work))], check=True)
    if needed:
        subprocess.run([*pip, "--require-hashes", "-r", str(needed)], check=True)
        return python.with_name("shipseal")
    [packages] = (work / "venv" / "lib").glob("python3*/site-packages")
    # A path that a .pth file adds is searched, and .pth files there are not read: not that of this checkout.
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.with_name("shipseal")
