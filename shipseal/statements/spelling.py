"""Spell the address of a source repository in one way, however a clone, a policy or a certificate writes it. Pure."""

import re
from urllib.parse import urlsplit

# git-clone(1), "GIT URLS": `[user@]host:path`, with no slash before the first colon. One letter is a drive of Windows.
_SCP_LIKE = re.compile(r"(?:[^@/:\s]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|(?!urn:)[^@/:\s]{2,}):(?P<path>\S+)")
_DEFAULT_PORTS = {"https": 443, "ssh": 22}
_OF_HOSTS = {*_DEFAULT_PORTS, "http", "git"}


def repository_uri(address: str) -> str:
    """Return a repository's address as certificates have it: `https://host/path`.

    `https`, `ssh` and scp-like addresses of one host and path are one repository. User, password, default port, a
    trailing slash and `.git` do not count, and neither does the case of the host. Another protocol, another port and a
    path of this machine are others; they lose their user and password too.
    """
    text = address.strip().removeprefix("git+")
    if "://" not in text:
        found = _SCP_LIKE.fullmatch(text)
        return _spelled("https", found["host"], found["path"]) if found else text
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # half an IPv6 address, or no number
        return text.rpartition("@")[2]
    if parts.scheme not in _OF_HOSTS:
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{port}").removesuffix(":")
    if port in {None, _DEFAULT_PORTS.get(parts.scheme)}:
        return _spelled("https" if parts.scheme in _DEFAULT_PORTS else parts.scheme, host, parts.path)
    return _spelled(parts.scheme, f"{host}:{port}", parts.path)


def _spelled(scheme: str, host: str, path: str) -> str:
    return f"{scheme}://{host.lower()}/{path.strip('/').removesuffix('.git').rstrip('/')}"
