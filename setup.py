"""Put what the pipeline reads beside its code into its package, so that an installed one has it too."""

import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BESIDE = ("image", "policy", "tools", "requirements.lock")
COST = (
    "terraform/prices.toml",
    *(f"terraform/environments/{name}/usage.json" for name in ("development", "production")),
)


class WithHome(build_py):
    """Copy it to `shipseal/home`, which a checkout does not have: there it lies at the root."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        for name in (*BESIDE, *COST):
            target = Path(self.build_lib, "shipseal", "home", name)
            if Path(name).is_dir():
                shutil.copytree(name, target, dirs_exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(name, target)
        Path(self.build_lib, "shipseal", "home", "commit").write_text(_commit(), encoding="ascii")


def _commit() -> str:
    asked = ["git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(asked, check=True, capture_output=True, encoding="ascii").stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # there is no git, or this is no repository
        return "no commit"


setup(cmdclass={"build_py": WithHome})
