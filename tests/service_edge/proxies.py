"""Real proxies in front of the service: nginx and HAProxy from Debian, Envoy from PyPI."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from string import Template

import pytest

ROOT = Path(__file__).parent.parent.parent

NGINX = Template("""
daemon off; master_process off; pid $folder/nginx.pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path $folder/b; proxy_temp_path $folder/p;
  fastcgi_temp_path $folder/f; uwsgi_temp_path $folder/u; scgi_temp_path $folder/s;
  server {
    listen 127.0.0.1:$port;
    location / {
      proxy_pass http://$upstream;
      proxy_http_version 1.1;
      proxy_set_header Host $$host;
      proxy_set_header Connection "";
      proxy_set_header X-Real-IP $$remote_addr;
      proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
    }
  }
}
""")
HAPROXY = Template("""
global
  maxconn 1000
defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen edge
  bind 127.0.0.1:$port
  server one $upstream
""")
ENVOY = Template("""
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: $port}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: edge
          use_remote_address: true
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{match: {prefix: "/"}, route: {cluster: one}}]
  clusters:
  - name: one
    type: STATIC
    connect_timeout: 5s
    load_assignment:
      cluster_name: one
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: $upstream_port}}}
""")


def program(name: str, package: str) -> str:
    """Return the path of a program, or fail and say which package holds it: these tests are never skipped."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.fail(f"{name} is missing: install {package}")
    return path


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: Sequence[str | Path], port: int, folder: Path) -> Iterator[int]:
    """Run a server until the block ends; wait until it accepts connections on `port`."""
    with (folder / "proxy.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _await_port(process, port, folder)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def _await_port(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            log = (folder / "proxy.log").read_text(errors="replace")[-2000:]
            assert process.poll() is None, f"the proxy ended: {log}"
            assert time.monotonic() < end, f"the proxy does not listen: {log}"
            time.sleep(0.05)
        else:
            return


@contextmanager
def proxy(kind: str, upstream_port: int, folder: Path) -> Iterator[int]:
    """Run nginx, haproxy or envoy in front of `upstream_port`; give its port."""
    folder.mkdir(exist_ok=True)
    port, config = free_port(), folder / f"{kind}.yaml"
    text = {"nginx": NGINX, "haproxy": HAPROXY, "envoy": ENVOY}[kind].substitute(
        folder=folder, port=port, upstream=f"127.0.0.1:{upstream_port}", upstream_port=upstream_port
    )
    config.write_text(text)
    with serving(command_line(kind, config), port, folder):
        yield port


def command_line(kind: str, config: Path) -> list[str]:
    """Return the command that runs a proxy in the foreground with this configuration."""
    if kind == "nginx":
        return [program("nginx", "Debian's nginx-light or nginx"), "-e", "stderr", "-c", str(config)]
    if kind == "haproxy":
        return [program("haproxy", "Debian's haproxy"), "-db", "-q", "-f", str(config)]
    binary = from_lock("lib/python3.*/site-packages/envoy/_bin/envoy", "envoy")
    return [binary, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]


def from_lock(pattern: str, name: str) -> str:
    """Return a program that service/requirements-edge.lock installs, here or in .venv-service, or fail."""
    for prefix in (Path(sys.prefix), ROOT / ".venv-service"):
        for path in prefix.glob(pattern):
            return str(path)
    pytest.fail(f"{name} is missing: install service/requirements-edge.lock into .venv-service")
