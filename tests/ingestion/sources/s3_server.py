"""A real S3 server on loopback (moto's) that checks rights and signatures."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3  # type: ignore[import-untyped]
from minio import Minio

_START_S = 60
# moto lets the first few calls through unsigned, so that somebody can make the first key.
_UNSIGNED = 3
_RIGHTS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}]}


@dataclass(frozen=True)
class S3Server:
    """`client` may do everything; its keys are the server's only ones."""

    url: str
    access_key: str
    secret_key: str
    client: Minio


@contextmanager
def running() -> Iterator[S3Server]:
    """A server until the block ends."""
    port = _free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(_UNSIGNED)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process)
            yield _opened(url)
        finally:
            process.terminate()


def _opened(url: str) -> S3Server:
    anyone = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1", **anyone)
    iam.create_user(UserName="tests")
    key = iam.create_access_key(UserName="tests")["AccessKey"]
    iam.put_user_policy(UserName="tests", PolicyName="all", PolicyDocument=json.dumps(_RIGHTS))
    access_key, secret_key = key["AccessKeyId"], key["SecretAccessKey"]
    client = Minio(
        url.removeprefix("http://"), access_key=access_key, secret_key=secret_key, secure=False, region="us-east-1"
    )
    return S3Server(url=url, access_key=access_key, secret_key=secret_key, client=client)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=2):  # noqa: S310
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the S3 server did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
