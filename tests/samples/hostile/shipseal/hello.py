"""Say hello over WSGI (PEP 3333)."""


def app(environ, start_response):
    """Answer every request alike."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]
