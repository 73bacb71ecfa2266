"""A Dagger session that runs nothing: it writes down what is asked of it, call by call, as one graph.

The schema is at the same time the reviewed list of everything that the module uses of Dagger's API; whatever is not in
it fails. Descriptions that are equal are one and the same, as they are for an engine.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from graphql import GraphQLResolveInfo, build_schema, graphql_sync

SCHEMA = build_schema("""
interface Node { id: ID! }
type Query {
  node(id: ID!): Node!
  container: Container!
  directory: Directory!
  cacheVolume(key: String!): CacheVolume!
  currentModule: CurrentModule!
}
type Container implements Node {
  id: ID!
  sync: ID!
  stdout: String!
  from(address: String!): Container!
  import(source: ID!): Container!
  directory(path: String!): Directory!
  file(path: String!): File!
  withExec(args: [String!]!, insecureRootCapabilities: Boolean): Container!
  withDirectory(path: String!, source: ID!): Container!
  withMountedDirectory(path: String!, source: ID!, readOnly: Boolean): Container!
  withMountedFile(path: String!, source: ID!): Container!
  withMountedCache(path: String!, cache: ID!): Container!
  withMountedSecret(path: String!, source: ID!): Container!
  withSecretVariable(name: String!, secret: ID!): Container!
  withEnvVariable(name: String!, value: String!): Container!
  withServiceBinding(alias: String!, service: ID!): Container!
  withWorkdir(path: String!): Container!
  withoutMount(path: String!): Container!
}
type Directory implements Node {
  id: ID!
  sync: ID!
  directory(path: String!): Directory!
  file(path: String!): File!
  filter(include: [String!], exclude: [String!]): Directory!
  withDirectory(path: String!, source: ID!): Directory!
  withNewFile(path: String!, contents: String!): Directory!
}
type File implements Node { id: ID!  sync: ID!  contents: String! }
type CacheVolume implements Node { id: ID! }
type Secret implements Node { id: ID! }
type Service implements Node { id: ID! }
type CurrentModule implements Node { id: ID!  source: Directory! }
""")


@dataclass(frozen=True, eq=False)
class Call:
    """One call of the API: what it gives, its name and arguments, and what it was called on.

    An argument that is an object is a `Call` itself; a list is a tuple. Two calls are equal when all of it is.
    """

    gives: str
    name: str
    arguments: tuple[tuple[str, Any], ...] = ()
    on: "Call | None" = None

    @cached_property
    def digest(self) -> str:
        """What it is known by; made of the digests below, because a graph has far more paths than calls."""
        values = [(name, value.digest if isinstance(value, Call) else value) for name, value in self.arguments]
        return sha256(repr((self.gives, self.name, values, self.on and self.on.digest)).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        """Say whether both describe the same."""
        return isinstance(other, Call) and other.digest == self.digest

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self.digest)

    def __getitem__(self, argument: str) -> Any:
        """Return an argument, None where it was not given."""
        return dict(self.arguments).get(argument)

    def chain(self) -> Iterator["Call"]:
        """Yield this call and those before it on the same object, the last one first."""
        yield self
        if self.on:
            yield from self.on.chain()


def everything(calls: Iterable[Call]) -> set[Call]:
    """Return every call that some calls rest on, themselves included."""
    pending, found = list(calls), set[Call]()
    while pending:
        call = pending.pop()
        if call not in found:
            found.add(call)
            pending += [value for _, value in call.arguments if isinstance(value, Call)]
            pending += [call.on] if call.on else []
    return found


Contents = Callable[[Call], str]


@dataclass
class Session:
    """What was asked, and what answers: `contents` gives a file's text."""

    contents: Contents
    known: dict[str, Call] = field(default_factory=dict)
    evaluated: list[Call] = field(default_factory=list)

    def give(self, kind: str, name: str) -> str:
        """Have an object from outside, as a caller hands one over, and return its ID."""
        return self._id(Call(kind, name))

    def _id(self, call: Call) -> str:
        name = f"{call.gives}-{call.digest}"
        self.known[name] = call
        return name

    def resolve(self, on: "Call | None", info: GraphQLResolveInfo[None], **arguments: Any) -> Any:
        """Answer one field of a query."""
        if info.field_name == "node":
            return self.known[arguments["id"]]
        if info.field_name == "id":
            assert on
            return self._id(on)
        if info.field_name in {"sync", "contents", "stdout"}:
            assert on
            self.evaluated.append(on)
            return self._id(on) if info.field_name == "sync" else self.contents(on)
        kind = str(info.return_type).rstrip("!")
        values = tuple(sorted((name, self._value(value)) for name, value in arguments.items()))
        return Call(kind, info.field_name, values, on)

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(value)
        return self.known.get(value, value) if isinstance(value, str) else value

    def query(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request as a GraphQL server does."""
        done = graphql_sync(
            SCHEMA,
            request["query"],
            variable_values=request.get("variables"),
            field_resolver=self.resolve,
            type_resolver=lambda value, *_: value.gives,
        )
        errors = [error.formatted for error in done.errors or ()]
        return {"data": done.data, **({"errors": errors} if errors else {})}


@contextmanager
def serving(current: Callable[[], Session]) -> Iterator[int]:
    """Serve whatever session is current, on a free port of loopback; the SDK keeps to one port for a whole process."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                body = json.dumps(current().query(request)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
