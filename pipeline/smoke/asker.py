"""Start a service as this process, ask it over loopback from a child, and end it with SIGTERM.

The smoke stage runs this file by the image's own interpreter, as process 1 where the sandbox has one: it must not need
more of the standard library than a network service does. Arguments: port, seconds for the start, health path, other
paths, `--`, the service's command. The answers are lines on stdout: `ready MILLISECONDS`, `memory KIB`, and
`answer HEX` for each path in order; the service's own output is on stderr, and its exit code is this one's.
"""

import os
import signal
import socket
import sys
import time


def ask(port: int, path: str, seconds: float) -> bytes:
    """Return the whole response to one request; HTTP/1.0, so that its end is the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        response = b""
        while piece := connection.recv(65536):
            response += piece
        return response


def wait_until_ready(service: int, port: int, path: str, end: float) -> bytes:
    """Ask until the answer is a 200, the service is gone or its time is over; return the last answer."""
    answer = b""
    while time.monotonic() < end and os.getppid() == service:
        try:
            answer = ask(port, path, max(0.1, end - time.monotonic()))
            if answer.split(b" ", 2)[1:2] == [b"200"]:
                break
        except OSError:
            pass
        time.sleep(0.002)
    return answer


def resident(service: int) -> str:
    """Return the resident memory of the service in KiB, or nothing where there is no /proc."""
    try:
        with open(f"/proc/{service}/status", encoding="ascii") as status:  # noqa: PTH123 - pathlib is not in the image
            return next(line.split()[1] for line in status if line.startswith("VmRSS"))
    except OSError:
        return ""


def tell(word: str, value: str) -> None:
    """Write one line of the answer at once: after SIGTERM nothing may be left to write."""
    os.write(1, f"{word} {value}\n".encode())


def main(service: int, began: float, arguments: list[str]) -> None:
    """Ask for everything, then end the service, and be there until it is gone."""
    port, seconds, health, *paths = arguments
    first = wait_until_ready(service, int(port), health, began + float(seconds))
    tell("ready", str(round((time.monotonic() - began) * 1000)))
    tell("answer", first.hex())
    for path in paths:
        try:
            answer = ask(int(port), path, float(seconds))
        except OSError as error:
            answer = str(error).encode()
        tell("answer", answer.hex())
    tell("memory", resident(service))
    os.kill(service, signal.SIGTERM)
    while os.getppid() == service:
        time.sleep(0.01)


if __name__ == "__main__":
    started, here = time.monotonic(), os.getpid()
    split = sys.argv.index("--")
    if os.fork():
        os.dup2(2, 1)
        os.execve(sys.argv[split + 1], sys.argv[split + 1 :], os.environ)  # noqa: S606 - no shell is the point
    main(here, started, sys.argv[1:split])
