"""Escape what the caller sends, by MarkupSafe's compiled module and not by its slower fallback."""

from urllib.parse import unquote

from markupsafe import _speedups, escape


def app(environ, start_response):
    """Answer with the query, escaped, and with the module that did it."""
    said = escape(unquote(environ.get("QUERY_STRING", "")))
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [f"hello {said} from {_speedups.__name__}\n".encode()]
