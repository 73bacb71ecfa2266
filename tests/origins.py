"""Where inputs come from, on loopback and in small: a package index, a mirror, a Debian repository."""

import base64
import hashlib
import json
import re
import shutil
import socket
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from packaging.utils import canonicalize_name

from shipseal.digest import Digest
from shipseal.locked.debian import DebianPackage
from shipseal.locked.fetch import PROGRAMS
from shipseal.locked.store import Store
from shipseal.tools.toolbox import Toolbox


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Keep quiet."""


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """Serve a directory on a free port of loopback; give its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering(reply: bytes, heard: list[bytes] | None = None) -> Iterator[str]:
    """Answer every connection with the same bytes and close it; give the address, and keep what was asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):  # the server is closed
                while True:
                    with server.accept()[0] as client:
                        asked = client.recv(65536)
                        if heard is not None:
                            heard.append(asked)
                        client.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)  # which ends an accept that waits
        thread.join()


def toolbox(store: Store, log: Path, environment: Mapping[str, str]) -> Toolbox:
    """Give the programs that fetch, with an environment that knows no other origin than the test's."""
    return Toolbox(store, {}, frozenset(PROGRAMS), log, environment)


def make_wheel(directory: Path, name: str, version: str, tag: str = "py3-none-any") -> Path:
    """Write a wheel that pip can install, with one module in it; return its path."""
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{name}-{version}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = f"{name}-{version}.dist-info/RECORD"
    lines = [f"{path},sha256={_base64(content)},{len(content)}" for path, content in files.items()]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {**files, record: "\n".join([*lines, f"{record},,"]) + "\n"}.items():
            archive.writestr(zipfile.ZipInfo(member), content)
    return path


def make_index(directory: Path, *files: Path) -> None:
    """Write a simple index (PEP 503) of files, in `simple/`."""
    for file in files:
        project = directory / "simple" / canonicalize_name(file.name.partition("-")[0])
        project.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, project)
        links = (
            f'<a href="{path.name}">{path.name}</a>' for path in sorted(project.iterdir()) if path.suffix != ".html"
        )
        (project / "index.html").write_text(f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>")


def pip_settings(address: str, scratch: Path) -> dict[str, str]:
    """Return an environment in which pip knows one index and nothing of this machine's own settings."""
    return {"PIP_INDEX_URL": f"{address}/simple", "PIP_CONFIG_FILE": "/dev/null", "PIP_CACHE_DIR": str(scratch / "pip")}


def make_deb(root: Path, name: str, version: str, architecture: str = "amd64", source: str = "") -> DebianPackage:
    """Write a Debian package with dpkg-deb into a repository's `debian/pool/`; return its entry in the lock."""
    tree = root.parent / "tree" / f"{name}-{version}-{architecture}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
        + (f"Source: {source}\n" if source else "")
        + "Maintainer: A Tester <tester@example.invalid>\nDescription: a sample\n"
    )
    path = f"debian/pool/{name}_{version.partition(':')[2] or version}_{architecture}.deb"
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, file], check=True, capture_output=True)
    digest, size, escaped = Digest.of_file(file), file.stat().st_size, path.replace("+", "%2b")
    return DebianPackage(name, version, architecture, digest, size, escaped, source=source or name)


def make_repository(directory: Path, packages: list[DebianPackage]) -> None:
    """Write the lists of a flat Debian repository over packages that lie below it (sources.list(5))."""
    paragraphs = (
        f"Package: {item.name}\nVersion: {item.version}\nArchitecture: {item.architecture}\n"
        f"Filename: {item.path.replace('%2b', '+')}\nSize: {item.size}\nSHA256: {item.digest.hex}\n"
        for item in packages
    )
    listing = "\n".join(paragraphs)
    (directory / "Packages").write_text(listing)
    digest = hashlib.sha256(listing.encode()).hexdigest()
    (directory / "Release").write_text(
        f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {digest} {len(listing)} Packages\n"
    )


def suite() -> str:
    """Return the suite of this machine, or nothing where it is no Debian."""
    release = Path("/etc/os-release")
    found = re.search(r"^VERSION_CODENAME=(\w+)$", release.read_text() if release.exists() else "", re.MULTILINE)
    return found[1] if found and shutil.which("apt-get") else ""


def lock_text(packages: list[DebianPackage], base: Sequence[str] = ("zlib1g",)) -> str:
    """Return a lock of Debian packages of this machine's suite."""
    text = f'suite = "{suite()}"\npython = "3.11"\nbase = {json.dumps(list(base))}\n'
    for item in packages:
        text += (
            f'\n[[package]]\nname = "{item.name}"\nversion = "{item.version}"\narchitecture = "{item.architecture}"\n'
        )
        text += f'sha256 = "{item.digest.hex}"\nsize = {item.size}\npath = "{item.path}"\nsource = "{item.source}"\n'
    return text


def apt_settings(address: str, scratch: Path) -> dict[str, str]:
    """Return an environment in which apt knows one repository, which is trusted though nobody signs it."""
    sources = scratch / "sources.list"
    sources.write_text(f"deb [trusted=yes] {address} ./\n")
    configuration = scratch / "apt.conf"
    # Loopback answers at once or not at all: what is down is still down after apt's waits of 1, 2 and 4 seconds.
    settings = {"Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": "-", "Acquire::Retries": 0}
    configuration.write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    return {"APT_CONFIG": str(configuration)}


def _base64(content: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
