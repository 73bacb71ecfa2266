"""What GitHub does around the jobs of a workflow, played on this machine.

act runs the jobs. Repositories, artefacts and the action that installs Dagger have stand-ins in `actions/`. What act
does not know is written into the workflow before, as GitHub puts it there: where the called workflow comes from, and,
for a job that may have one, where its identity token is. docs.github.com, "OpenID Connect reference", names the claims.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import default_root
from shipseal.signing.identity import CERTIFICATE_CLAIMS

ACTIONS = {
    "actions/checkout": "checkout",
    "actions/upload-artifact": "upload",
    "actions/download-artifact": "download",
    "dagger/dagger-for-github": "dagger",
}
GITHUB = "https://github.com"
PASSWORD = "the-token-that-asks-for-tokens"
_BEGINNING, _END = 40, 120  # lines of a step that failed
# A step and a job have one name each in a workflow: the name of a step's "Main" part ends where its time stands.
_BEGAN = re.compile(r"⭐ Run (Main .+?)$")
_FAILED = re.compile(r"❌  Failure - (Main .+?)(?: \[[^\]]*\])?$")
_WRONG = re.compile(r"[Ee]rror|[Ff]ail|denied|refused|not allowed|Traceback|[Kk]illed|\bwhy\b|no space left")
_USED = re.compile(rf"uses: ((?:{'|'.join(ACTIONS)})@\S+)")
_STAND_INS = Path(__file__).parent / "actions"
# act by itself would ask Docker, and the network.
_APART = ("--platform=ubuntu-24.04=-self-hosted", "--action-offline-mode", "--no-cache-server")


def stand_ins(text: str) -> list[str]:
    """Return the options by which act takes the stand-in of each action that workflows use."""
    used = sorted(set(_USED.findall(text)))
    return [f"--local-repository={each}={_STAND_INS / ACTIONS[each.partition('@')[0]]}" for each in used]


def act(
    programs: Path, checkout: Path, event: str, *options: str, env: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run the workflows of a checkout for an event, all jobs of them, to their end."""
    return subprocess.run(
        [str(programs / "act"), event, *_APART, *options],
        cwd=checkout,
        env={**os.environ, "DOCKER_HOST": "unix:///nowhere", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )


def expect(done: "subprocess.CompletedProcess[str]", code: int = 0, said: str = "") -> None:
    """Fail with what the steps have said that failed, unless a run has ended so.

    Args:
        done: the run.
        code: how it should have ended.
        said: what a program of the steps has said, all of it: act itself loses some under load.
    """
    if done.returncode != code:
        raise AssertionError(f"act has ended with {done.returncode} and not with {code}\n{failure(done, said)}")


def failure(done: "subprocess.CompletedProcess[str]", said: str = "") -> str:
    """Return what tells why a run failed: what each failed step has said, then the summary and act's own words.

    The end of act's output tells nothing of it: there are the steps that clean up.
    """
    steps = [_bounded(each) for each in _failed_steps(done.stdout.splitlines())]
    told = steps or ["no step has failed; what act has said:", _bounded(done.stdout.splitlines())]
    rest = {"the summary": summary(done.stdout), "act": done.stderr, "the steps, in a file": said}
    return "\n".join([*told, *(f"{name}:\n{_bounded(text.splitlines())}" for name, text in rest.items() if text)])


def _failed_steps(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield the lines of each step that failed, from where it began; a step within a failed one is told in that one."""
    began = {name[1]: number for number, line in enumerate(lines) if (name := _BEGAN.search(line))}
    found = [(began.get(name[1], 0), number) for number, line in enumerate(lines) if (name := _FAILED.search(line))]
    told = 0
    for first, failed in sorted(found):
        if failed >= told:
            # What a step has said, hundreds of lines at times, may come after act's word that it has failed, and before
            # the next one begins; that word is told last, where no bound takes it away.
            told = next((each for each in range(failed, len(lines)) if "⭐ Run " in lines[each]), len(lines))
            yield [*lines[first:failed], *lines[failed + 1 : told], lines[failed]]


def _bounded(lines: Sequence[str]) -> str:
    """Return lines as people can read them: the first ones, what says that something went wrong, and the last ones."""
    if len(lines) <= _BEGINNING + _END:
        return "\n".join(lines)
    between = lines[_BEGINNING:-_END]
    wrong = [line for line in between if _WRONG.search(line)][-_END:]
    rest = f"[{len(between)} lines, and of these {len(wrong)} that speak of something wrong:]"
    return "\n".join([*lines[:_BEGINNING], rest, *wrong, "[and the last:]", *lines[-_END:]])


def summary(output: str) -> str:
    """Return what the jobs of a run have put into their summaries, by what act has said."""
    return "\n".join(re.findall(r"^\[.*?\] +⚙  Summary - (.*(?:\n(?!\[).*)*)", output, re.MULTILINE))


@dataclass
class Tokens:
    """GitHub's token endpoint, as far as a job sees it: to whoever has its password it says what GitHub claims.

    Args:
        authority: who takes the tokens.
        claims: of the job: "OpenID Connect reference", the names and the values.
        url: where it is.
        asked: the audience of each token that was given.
    """

    authority: LocalSigstore
    claims: dict[str, str]
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Return the variables that GitHub gives to a job with `id-token: write`."""
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": PASSWORD}

    def token(self, audience: str) -> str:
        """Return a token; beside GitHub's claims it has the certificate's, which Fulcio makes of them."""
        self.asked.append(audience)
        return self.authority.token(
            f"{GITHUB}/{self.claims['job_workflow_ref']}", {**self.claims, **certified(self.claims)}
        )


def certified(claims: Mapping[str, str]) -> dict[str, str]:
    """Return what Fulcio makes of GitHub's claims (its config/identity/config.yaml, `github-workflow`)."""
    run = f"actions/runs/{claims['run_id']}/attempts/{claims['run_attempt']}"
    made = {
        "build_signer_uri": f"{GITHUB}/{claims['job_workflow_ref']}",
        "runner_environment": claims["runner_environment"],
        "source_repository_uri": f"{GITHUB}/{claims['repository']}",
        "source_repository_digest": claims["sha"],
        "source_repository_ref": claims["ref"],
        "build_config_uri": f"{GITHUB}/{claims['workflow_ref']}",
        "build_trigger": claims["event_name"],
        "deployment_environment": claims["environment"],
        "run_invocation_uri": f"{GITHUB}/{claims['repository']}/{run}",
    }
    return {name: made[name] for name in CERTIFICATE_CLAIMS}


@contextmanager
def token_endpoint(authority: LocalSigstore, claims: dict[str, str]) -> Iterator[Tokens]:
    """Give tokens on loopback for as long as the block runs."""
    tokens = Tokens(authority, claims)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            allowed = self.headers["Authorization"] in {f"bearer {PASSWORD}", f"Bearer {PASSWORD}"}
            audience = parse_qs(urlsplit(self.path).query).get("audience", [""])[0]
            body = json.dumps({"value": tokens.token(audience)} if allowed else {"message": "no"}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        tokens.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield tokens
        finally:
            server.shutdown()
            thread.join()


def put_in(workflow: Path, repository: str, commit: str, token: Mapping[str, str]) -> None:
    """Write into a workflow what GitHub puts there, and act does not: its own place, and the token of jobs with one."""
    text = workflow.read_text()
    for name, value in (("repository", repository), ("sha", commit)):
        text = text.replace(f"${{{{ job.workflow_{name} || 'unknown' }}}}", value)
    document = yaml.safe_load(text)
    document["on"] = document.pop(True)  # which is what YAML makes of `on`
    for job in document["jobs"].values():
        if "steps" in job and job["permissions"].get("id-token") == "write":
            job["env"] = {**job.get("env", {}), **token}
    workflow.write_text(yaml.safe_dump(document, sort_keys=False))


def cache(directory: Path) -> Path:
    """Make a cache of a user that has this user's store, and nothing else: no database is put beside that one."""
    own = directory / "supply-chain-pipeline"
    own.mkdir(parents=True)
    (own / "store").symlink_to(default_root(os.environ))
    return directory


def without_root(directory: Path) -> Path:
    """Write a `sudo` that notes what it was asked to do, and does nothing; return the directory to find it in."""
    directory.mkdir()
    program = directory / "sudo"
    program.write_text(
        f'#!{sys.executable}\nimport sys\nopen("{directory}/asked", "a").write(" ".join(sys.argv[1:]) + "\\n")\n'
    )
    program.chmod(0o755)
    return directory
