"""With a Docker daemon too, a release pushes nothing to its registry before the image is judged."""

import json
import os
import sys
from pathlib import Path

from tests.release.conftest import MakeProject
from tests.release.registries import Served
from tests.stages.test_smoke_docker_host import DAEMON, content


def test_docker_takes_the_image_from_loopback_and_the_registry_is_as_it_was(
    make_project: MakeProject, open_registry: Served, tmp_path: Path
) -> None:
    """Whatever comes of it: the stand-in is sent to no other registry, and nothing goes to another."""
    docker = tmp_path / "docker"
    docker.write_text(DAEMON.format(python=sys.executable))
    docker.chmod(0o755)
    project = make_project(open_registry)
    before = content(open_registry.log.parent / "files")
    ended = project.release("--to", "smoke", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert ended.code == 0, ended.output
    assert before == content(open_registry.log.parent / "files")
    asked = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    (pulled,) = [words[-1] for words in asked if words[0] == "pull"]
    assert pulled.startswith("127.0.0.1:")
    assert open_registry.host not in pulled
