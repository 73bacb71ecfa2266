"""The WSGI application (PEP 3333): `/` greets, `/alive` is for probes."""

import json
import os
from pathlib import Path

WORDS = json.loads((Path(__file__).parent / "words" / "words.json").read_text(encoding="utf-8"))


def greeting(accept_language):
    """Return the greeting for the first language wanted that is known, else the one that the operator set."""
    wanted = [part.split(";")[0].strip().split("-")[0].lower() for part in accept_language.split(",")]
    known = [language for language in wanted if language in WORDS]
    return WORDS[known[0] if known else os.environ.get("LANGUAGE_OTHERWISE", "en")]


def application(environ, start_response):
    """Answer one request."""
    paths = {"/": greeting(environ.get("HTTP_ACCEPT_LANGUAGE", "")), "/alive": "yes"}
    said = paths.get(environ["PATH_INFO"])
    status = "200 OK" if said else "404 Not Found"
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{said or 'nothing here'}\n".encode()]
