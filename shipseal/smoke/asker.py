"""Start a service as this process, ask it over loopback from a child, and end it with SIGTERM.

The smoke stage runs this file by the image's own interpreter, as process 1 where the sandbox has one: it must not need
more of the standard library than a network service does. Arguments: port, seconds for the start and for each answer,
the request for the health path, other requests, `--`, the service's command; a request is all its bytes in hex. The
answers are lines on stdout: `ready MILLISECONDS`, `answer HEX` for each request in order, `catches 0|1`, which says
whether the service has a handler for SIGTERM, and `memory KIB`; the service's own output is on stderr, and its exit
code is this one's.
"""

import os
import signal
import socket
import sys
import time

MOST = 1 << 20  # bytes of an answer that are read


def ask(port: int, request: bytes, seconds: float) -> bytes:
    """Return the whole response to one request; HTTP/1.0, so that its end is the end of the connection."""
    end = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(request)
        response = b""
        while len(response) < MOST:
            connection.settimeout(max(0.001, end - time.monotonic()))
            piece = connection.recv(65536)
            if not piece:
                break
            response += piece
        return response


def wait_until_ready(service: int, port: int, request: bytes, end: float) -> bytes:
    """Ask until the answer is a 200, the service is gone or its time is over; return the last answer."""
    answer = b""
    while time.monotonic() < end and os.getppid() == service:
        try:
            answer = ask(port, request, max(0.1, end - time.monotonic()))
            if answer.split(b" ", 2)[1:2] == [b"200"]:
                break
        except OSError:
            pass
        time.sleep(0.002)
    return answer


def status(service: int, name: str) -> str:
    """Return a value of /proc/PID/status (proc(5)), or nothing where there is no /proc."""
    try:
        with open(f"/proc/{service}/status", "rb") as lines:  # noqa: PTH123 - pathlib is not in the image
            return next(line.split()[1].decode() for line in lines if line.startswith(f"{name}:".encode()))
    except (OSError, StopIteration):
        return ""


def catches(service: int) -> bool:
    """Say whether the service has a handler for SIGTERM."""
    return bool(int(status(service, "SigCgt") or "0", 16) >> (signal.SIGTERM - 1) & 1)


def tell(word: str, value: str) -> None:
    """Write one line of the answer at once: after SIGTERM nothing may be left to write."""
    line = f"{word} {value}\n".encode()
    while line:
        line = line[os.write(1, line) :]


def main(service: int, began: float, arguments: list[str]) -> None:
    """Ask for everything, then end the service, and be there until it is gone."""
    port, seconds = int(arguments[0]), float(arguments[1])
    health, *requests = map(bytes.fromhex, arguments[2:])
    first = wait_until_ready(service, port, health, began + seconds)
    tell("ready", str(round((time.monotonic() - began) * 1000)))
    tell("answer", first.hex())
    for request in requests:
        try:
            answer = ask(port, request, seconds)
        except OSError as error:
            answer = str(error).encode()
        tell("answer", answer.hex())
    tell("catches", str(int(catches(service))))
    tell("memory", status(service, "VmRSS"))
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
