"""Count visitors in SQLite, whose shared library is in no package of the runtime."""

import sqlite3

COUNT = sqlite3.connect(":memory:", check_same_thread=False)
COUNT.execute("CREATE TABLE visits (at TEXT DEFAULT CURRENT_TIMESTAMP)")


def app(environ, start_response):
    """Count the visit, and say hello."""
    COUNT.execute("INSERT INTO visits DEFAULT VALUES")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]
