"""Follow the page of drills as its reader would, and note what the API server says of the pods meanwhile."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from shipseal.locked.store import default_root
from tests.cloud.terraform import Done
from tests.cluster.checkout import NAME
from tests.cluster.ground import Ground
from tests.runbook import commands, follow

PAGE = "drills.md"
ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Drill:
    """One section of the page, block by block.

    Args:
        ground: where; the image `a` is deployed there.
        section: the heading.
        chosen: what the page has its reader export, beside what it says at the top.
    """

    ground: Ground
    section: str
    chosen: tuple[tuple[str, str], ...] = ()

    def follow(self, *numbers: int) -> Done:
        """Run blocks of the section, counted from 0; all of them when none is named. Each is to succeed."""
        blocks = commands(PAGE, section=self.section)
        wanted = [blocks[number] for number in numbers] or blocks
        done = follow(wanted, self.ground.checkout.root, self._environment(), timeout=120)
        assert done.code == 0, done.output
        return done

    def _environment(self) -> dict[str, str]:
        ground, project = self.ground, self.ground.checkout.project
        programs = [str(ground.kubectl.program.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
        cache = project.store.parents[1]
        assert default_root({"XDG_CACHE_HOME": str(cache)}) == project.store
        return {
            **os.environ,
            **project.variables(),
            "PATH": os.pathsep.join(programs),
            "XDG_CACHE_HOME": str(cache),
            "KUBECONFIG": str(_within(ground)),
            "DEPLOYER": str(ground.kubeconfig),
            "NAME": NAME,
            "NEXT": ground.releases.b,
            **dict(self.chosen),
        }


def _within(ground: Ground) -> Path:
    """Return the administrator's kubeconfig with the namespace as that of its context."""
    document = json.loads(ground.kubectl.kubeconfig.read_text())
    document["contexts"][0]["context"]["namespace"] = ground.namespace
    file = ground.checkout.root.with_name("administrator.kubeconfig")
    file.write_text(json.dumps(document))
    return file


@contextmanager
def watched(ground: Ground) -> Iterator[list[int]]:
    """Note each number of available replicas that the Deployment has while a block runs, the first one included."""
    kubectl, seen = ground.kubectl, list[int]()
    template = r'{.status.availableReplicas}{"\n"}'
    command = ["get", "deployment", NAME, "--watch", "-o", f"jsonpath={template}"]
    with subprocess.Popen(
        [kubectl.program, f"--namespace={ground.namespace}", *command],
        env={"HOME": str(kubectl.kubeconfig.parent), "KUBECONFIG": str(kubectl.kubeconfig)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = process.stdout
        seen.append(int(lines.readline() or 0))
        reader = threading.Thread(target=lambda: seen.extend(int(line.strip() or 0) for line in lines))
        reader.start()
        try:
            yield seen
        finally:
            process.terminate()
            reader.join(10)


@contextmanager
def answering(status: Callable[[], int]) -> Iterator[str]:
    """Have a server that answers each request with what a function says, for as long as a block runs; give its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status())
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/alive"
        server.shutdown()


def zones(ground: Ground) -> dict[str, str]:
    """Return the zone of each node that there is."""
    nodes = ground.kubectl.read("nodes")["items"]
    return {each["metadata"]["name"]: each["metadata"]["labels"][ZONE] for each in nodes}


def ready(pod: Any) -> bool:
    """Say whether a pod is ready."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def nodes(ground: Ground) -> list[str]:
    """Return the nodes of the service's ready pods, in order."""
    return sorted(each["spec"]["nodeName"] for each in ground.pods() if ready(each))
