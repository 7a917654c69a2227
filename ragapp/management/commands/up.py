"""Start the server: with everything inside it (embedded default), or the web process alone (services)."""

import contextlib
import logging
import os
import resource
import socket
import sys
from typing import Any

import uvicorn
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.parsing import supervision
from ragapp import bootstrap, embedded, wiring

GRACE_S = 3
MAX_CONNECTIONS = 1_000


class Command(BaseCommand):
    """`manage.py up`."""

    help = "Start ragapp and print its address. Ctrl-C stops it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        url = f"http://{'localhost' if host in {'127.0.0.1', '0.0.0.0'} else host}:{port}"  # noqa: S104
        _raise_file_limit()
        with _listening(host, port) as listener:
            if not wiring.config().is_embedded:
                _Server(self, url).run(sockets=[listener])
                return
            with embedded.data_folder_owned(url=url):
                self._embedded(url, listener)
        # What a worker thread still reads was given back above; waiting for it would keep the terminal.
        supervision.end()
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)

    def _embedded(self, url: str, listener: socket.socket) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        with embedded.model_child():
            # Only now: nothing that is missing can end the start after the password was made.
            self._first_start()
            with embedded.workers(), contextlib.suppress(KeyboardInterrupt):
                embedded.warm_up()
                _Server(self, url).run(sockets=[listener])

    def _first_start(self) -> None:
        admin = bootstrap.first_start()
        if admin is None:
            return
        self.stdout.write("\n  Sign in with the first admin's account. The password is shown only now:")
        self.stdout.write(f"    Username: {admin.user.username}")
        self.stdout.write(f"    Password: {admin.password}")
        self.stdout.flush()


class _Server(uvicorn.Server):
    """Says where it is once it listens."""

    def __init__(self, command: Command, url: str) -> None:
        proxies = wiring.config().trusted_proxies
        super().__init__(
            uvicorn.Config(
                "ragapp.asgi:application",
                log_level="warning",
                lifespan="off",
                timeout_graceful_shutdown=GRACE_S,
                server_header=False,
                # By default uvicorn believes loopback's X-Forwarded-For: anyone's, behind a proxy that passes it on.
                proxy_headers=bool(proxies),
                forwarded_allow_ips=list(proxies),
                limit_concurrency=MAX_CONNECTIONS,
            )
        )
        self._command = command
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        write = self._command.stdout.write
        write(f"\n  ragapp is running at {self._url}\n")
        write("  Ctrl-C stops it.\n")
        self._command.stdout.flush()


def _raise_file_limit() -> None:
    """Connections, uploads and the database share the descriptors; the usual soft limit of 1,024 is soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def _listening(host: str, port: int) -> Any:
    """The port is taken before anything is started, so that a taken one costs nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as exc:
            raise CommandError(
                f"Port {port} on {host} cannot be used ({exc.strerror}). Try another: make run PORT={port + 1}"
            ) from exc
        yield listener
