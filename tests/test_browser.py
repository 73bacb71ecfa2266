"""A person logs in by a browser once, is asked before, and is waited for no longer than is bearable."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError, RemoteFailed, UsageError
from shipseal.locked.store import Store
from shipseal.project.config import Sign
from shipseal.signing.browser import PUBLIC_ISSUER, Browser, issuer_of
from shipseal.signing.identity import TOKEN_VARIABLE, promised
from shipseal.signing.signer import release_signer
from shipseal.statements.builders import SignerIdentity
from shipseal.tools.toolbox import Toolbox
from tests.release.issuer import Issuer, issuer

FOLLOWS = "import sys, urllib.request\nurllib.request.urlopen(sys.argv[1]).read()\n"
CLOSES = "pass\n"
REFUSES = """import re, sys, urllib.request
class Stop(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None
try: urllib.request.build_opener(Stop).open(sys.argv[1])
except urllib.error.HTTPError as there: state = re.search("state=([^&]*)", there.headers["Location"])[1]
urllib.request.urlopen(f"{sys.argv[1]}/auth/callback?ANSWER".replace("STATE", state)).read()
"""

MakeBrowser = Callable[[str], Path]


@pytest.fixture
def there() -> Iterator[Issuer]:
    """Give an issuer on loopback."""
    with issuer() as running:
        yield running


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the directory of the browser: Python asks for its name once in a process."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture
def opens(place: Path, monkeypatch: pytest.MonkeyPatch) -> MakeBrowser:
    """Give a function that installs a program as the browser; it returns where each window is counted."""

    def make(text: str) -> Path:
        program, windows = place / "browser", place / "windows"
        counting = f"import sys\nopen({str(windows)!r}, 'a').write(sys.argv[1] + chr(10))\n"
        program.write_text(f"#!{sys.executable}\n{counting}{text}")
        program.chmod(0o755)
        monkeypatch.setenv("BROWSER", str(program))
        windows.write_text("")
        return windows

    return make


async def test_one_window_gives_one_token_for_everything(there: Issuer, opens: MakeBrowser) -> None:
    windows = opens(FOLLOWS)
    browser = Browser(there.url)
    tokens = {await browser.token() for _ in range(3)}
    assert len(tokens) == 1
    assert len(windows.read_text().splitlines()) == 1
    assert promised(tokens.pop()).who == SignerIdentity("somebody@example.test", there.url)


async def test_a_token_that_has_ended_is_asked_for_again(there: Issuer, opens: MakeBrowser) -> None:
    windows = opens(FOLLOWS)
    there.lifetime = 10
    browser = Browser(there.url)
    first = await browser.token()
    there.lifetime = 600
    assert first != await browser.token()
    assert len(windows.read_text().splitlines()) == 2


async def test_a_window_that_is_closed_is_not_waited_for_for_ever(there: Issuer, opens: MakeBrowser) -> None:
    opens(CLOSES)
    started = time.monotonic()
    with pytest.raises(UsageError, match="nobody has logged in"):
        await Browser(there.url, patience=0.5).token()
    assert time.monotonic() - started < 20  # and not the minutes that it waits when nobody says


async def test_whoever_stops_the_release_waits_for_no_window(there: Issuer, opens: MakeBrowser) -> None:
    opens(CLOSES)
    with anyio.move_on_after(0.5) as scope:
        await Browser(there.url).token()
    assert scope.cancelled_caught


ANSWERS = {
    "a login that was refused": "error=access_denied&state=STATE",
    "the answer to another login": "code=1&state=another",
    "an answer without a code": "state=STATE",
    "an answer that says nothing": "",
    "a code that the issuer does not know": "code=1&state=STATE",
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_that_is_none_is_refused(there: Issuer, opens: MakeBrowser, name: str) -> None:
    opens(REFUSES.replace("ANSWER", ANSWERS[name]))
    with pytest.raises((RemoteFailed, UsageError)) as refused:
        await Browser(there.url, patience=3).token()
    assert "a bug" not in refused.value.explain()


async def test_an_issuer_that_is_down_is_said(opens: MakeBrowser) -> None:
    windows = opens(FOLLOWS)
    with pytest.raises(RemoteFailed, match="has let nobody log in"):
        await Browser("http://127.0.0.1:9").token()
    assert windows.read_text() == ""


async def test_a_release_signs_as_the_person_and_compares_who_that_is(
    there: Issuer,
    opens: MakeBrowser,
    store: Store,
    locked: dict[str, Digest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    opens(FOLLOWS)
    tools = Toolbox(store, locked, frozenset({"cosign"}), tmp_path / "log.txt")
    browser = Browser(there.url)
    async with release_signer(tools, Sign.model_construct(), browser) as signer:
        assert signer.promise({}).who == SignerIdentity("somebody@example.test", there.url)
    assert await browser.token() in tools.secrets
    with pytest.raises(UsageError, match="not of the issuer that signs this project"):
        async with release_signer(tools, Sign.model_construct(issuer="https://else.invalid"), browser):
            pass


def test_people_log_in_where_the_signing_configuration_says(tmp_path: Path) -> None:
    file = tmp_path / "signing.json"
    file.write_text(json.dumps({"oidcUrls": [{"url": "https://login.example"}]}))
    assert issuer_of(file) == "https://login.example"
    assert issuer_of(None) == PUBLIC_ISSUER
    file.write_text("{}")
    with pytest.raises(ConfigError, match="names nobody by whom people log in"):
        issuer_of(file)


ASK = """
import sys
from pathlib import Path
from shipseal.cli.log_in import ask
from shipseal.errors import ShipsealError
from shipseal.project.config import Sign
try:
    found = ask(Sign.model_construct(key=sys.argv[1], signing_config=None), may_ask=sys.argv[2] == "yes")
    print("ANSWER", found and found.issuer)
except ShipsealError as error:
    print("ANSWER", error.explain())
"""


def asked(*words: str, answer: str = "", terminal: bool = True, **more: str) -> str:
    """Ask in a process of its own, at a terminal or without one; return all that was said."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[1]), **more}
    command = [sys.executable, "-c", ASK, *words]
    if not terminal:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return (done.stdout + done.stderr).decode()
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        return said_at(ours)


def said_at(terminal: int) -> str:
    """Return what is said at a terminal until nobody has it open any more."""
    said = b""
    while select.select([terminal], [], [], 30)[0]:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # EIO: the last process that had it open has ended
            break
        said += part
    os.close(terminal)
    return said.decode()


def test_whoever_is_at_a_terminal_is_asked_and_told_what_stays_public_for_good() -> None:
    said = asked("", "yes", answer="y")
    assert "Your e-mail address goes into a public log" in said
    assert f"ANSWER {PUBLIC_ISSUER}" in said


def test_whoever_says_no_has_released_nothing() -> None:
    said = asked("", "yes", answer="")
    assert "nobody is there to sign" in said
    assert "SIGSTORE_ID_TOKEN" in said


QUIET: dict[str, tuple[tuple[str, str], bool, dict[str, str]]] = {
    "without a terminal": (("", "yes"), False, {}),
    "with --yes": (("", "no"), True, {}),
    "with a token": (("", "yes"), True, {"SIGSTORE_ID_TOKEN": "a.b.c"}),
    "with a key": (("cosign.key", "yes"), True, {}),
    "in a CI job": (("", "yes"), True, {"CI": "true"}),
}


@pytest.mark.parametrize("name", QUIET)
def test_nobody_is_asked(name: str) -> None:
    words, terminal, more = QUIET[name]
    said = asked(*words, terminal=terminal, answer="y", **more)
    assert "ANSWER None" in said
    assert "public log" not in said
