"""A web server on loopback that answers what a test says, and counts who came."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ingestion.sources.addresses import AddressPolicy, Network
from ingestion.sources.fetcher import Fetcher, FetchRules, Resolve


@dataclass
class Answer:
    """What a path gives. `repeat` times the body, so that a large answer need not be held."""

    body: bytes = b""
    status: int = 200
    media_type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    repeat: int = 1


@dataclass
class WebServer:
    """Running. `connections` counts accepted sockets, `requests` notes paths with their headers."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    connections: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str = "/", *, host: str = "site.example") -> str:
        """An address of this server under a name."""
        return f"http://{host}:{self.port}{path}"

    def fetcher(
        self,
        *,
        networks: tuple[Network, ...],
        resolve: Resolve | None = None,
        hosts: tuple[str, ...] = (),
        total_s: float = 20.0,
    ) -> Fetcher:
        """One that may use this server's port; every name is this machine."""
        rules = FetchRules(addresses=AddressPolicy(networks), hosts=hosts, ports=(80, 443, self.port), total_s=total_s)
        return Fetcher(rules, resolve=resolve or (lambda host, port: ["127.0.0.1"]))


@contextmanager
def serving(*, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """A server until the block ends."""
    state = WebServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.requests.append((self.path, dict(self.headers)))
            answer = state.answers.get(self.path) or Answer(status=404)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.media_type)
            if "Transfer-Encoding" not in answer.headers and "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body) * answer.repeat))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for _ in range(answer.repeat):
                    self.wfile.write(answer.body)
            except OSError:
                pass  # The client had enough.

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def process_request(self, request: object, client_address: object) -> None:
            state.connections += 1
            super().process_request(request, client_address)  # type: ignore[arg-type]

    server = Server((address, 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
