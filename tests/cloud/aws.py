"""An emulated AWS as a test uses it: started on a free port, asked by the real command line, forgotten at the end."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[2]
PROGRAMS = HOME / ".venv-terraform" / "bin"
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Cloud:
    """A running emulator, at a URL of the loopback address."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Return what makes any AWS client talk to this cloud and no other."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", "/"),
        }

    def aws(self, *arguments: str, region: str = "us-west-1") -> Any:
        """Run the AWS command line and return its answer; raise `AssertionError` with its words when it fails."""
        done = subprocess.run(
            [PROGRAMS / "aws", "--region", region, "--output", "json", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"aws {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def zone(self, name: str) -> str:
        """Make a public hosted zone and return its id."""
        made = self.aws("route53", "create-hosted-zone", "--name", name, "--caller-reference", name)
        return str(made["HostedZone"]["Id"]).rpartition("/")[2]


@contextmanager
def started(log: Path) -> Iterator[Cloud]:
    """Run an emulated AWS for as long as the block does; what it says of itself goes to the log."""
    python = PROGRAMS / "python"
    assert python.exists(), (
        f"{python} is missing: run `make test-terraform`, which makes it from requirements-terraform.lock"
    )
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [python, "-m", "tests.cloud.emulator"],
            cwd=HOME,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as server,
    ):
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            assert url, f"the emulated AWS did not start: {log.read_text()}"
            yield Cloud(url)
        finally:
            server.kill()


def _environment() -> Mapping[str, str]:
    return {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}
