"""The child process that serves one GGUF model through an OpenAI-compatible endpoint on loopback.

Started by `supervisor`; ends with its parent, however that ends. Its key comes in the environment, since
command lines are public to every user of the machine. Imports nothing of ragapp, to be small and start fast.
"""

import argparse
import ctypes
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

API_KEY_VARIABLE: Final = "RAGAPP_CHILD_API_KEY"
HOST: Final = "127.0.0.1"

# Exit statuses that the supervisor turns into sentences; from sysexits.h.
EXIT_USAGE: Final = 64
EXIT_MODEL_UNREADABLE: Final = 65
EXIT_ENGINE_MISSING: Final = 69

_OPENMP: Final = "libgomp.so.1"
_PR_SET_PDEATHSIG: Final = 1


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve until the parent goes away."""
    options = _parse(arguments)
    _end_with_parent()
    api_key = os.environ.pop(API_KEY_VARIABLE, "")
    if not api_key:
        _fail(
            EXIT_USAGE,
            f"{API_KEY_VARIABLE} is empty: the endpoint would be open to every user of this machine.",
        )
    engine = _import_engine()
    try:
        server = engine.Server(_parameters(engine, options, api_key=api_key))
    except RuntimeError as exc:
        _fail(EXIT_MODEL_UNREADABLE, f"The engine cannot serve {options.model}: {exc}")
    print(f"serving {options.alias} on {server.listening_address}", flush=True)
    threading.Event().wait()
    raise AssertionError("unreachable")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ragapp.gateway.local_server")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--context-tokens", type=int, default=4096, help="for each parallel answer")
    parser.add_argument("--parallel", type=int, default=1, help="answers written side by side")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args(arguments)


def _end_with_parent() -> None:
    """Two ways, because each has a gap.

    | way              | gap                                                                        |
    |------------------|----------------------------------------------------------------------------|
    | end of stdin     | not noticed while the model loads (the engine holds the interpreter lock), |
    |                  | nor while a fork of the parent holds the pipe                              |
    | parent's death   | Linux only                                                                 |
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_exit_at_end_of_stdin, name="parent-watch", daemon=True).start()


def _exit_at_end_of_stdin() -> None:
    while os.read(0, 1024):
        pass
    # Not sys.exit: the engine's threads would be waited for.
    os._exit(0)


def _import_engine() -> Any:
    try:
        return _import_xllamacpp()
    except ImportError as exc:
        if _OPENMP not in str(exc):
            _fail(EXIT_ENGINE_MISSING, f"The model engine is not installed ({exc}): pip install xllamacpp")
    try:
        _load_bundled_openmp()
        return _import_xllamacpp()
    except (ImportError, OSError) as exc:
        _fail(
            EXIT_ENGINE_MISSING,
            f"The model engine needs the system library {_OPENMP} ({exc}). On Debian and Ubuntu: "
            "apt-get install libgomp1; on Fedora: dnf install libgomp.",
        )


def _import_xllamacpp() -> Any:
    import xllamacpp

    return xllamacpp


def _load_bundled_openmp() -> None:
    """Slim images lack libgomp, but torch brings one. Loaded first, it is what the engine's need resolves to.

    Only found, not imported: torch itself would cost seconds and 200 MB.
    """
    torch = importlib.util.find_spec("torch")
    if torch is None or not torch.submodule_search_locations:
        raise ImportError("torch, which carries a copy, is not installed either")
    folder = Path(next(iter(torch.submodule_search_locations)))
    ctypes.CDLL(str(folder / "lib" / _OPENMP), mode=ctypes.RTLD_GLOBAL)


def _parameters(engine: Any, options: argparse.Namespace, *, api_key: str) -> Any:
    params = engine.CommonParams()
    params.model.path = str(options.model)
    params.model_alias = {options.alias}
    params.n_ctx = options.context_tokens * options.parallel  # the engine divides it among the slots
    params.n_parallel = options.parallel
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    # The prefix of the running slot is kept in any case. This is for prompts that were pushed out of it; the
    # default of 8 GiB is more than many machines have.
    params.cache_ram_mib = 256
    _close(params, port=options.port, api_key=api_key)
    return params


def _close(params: Any, *, port: int, api_key: str) -> None:
    """Everything that decides who may talk to the endpoint, and what it tells."""
    params.hostnames = [HOST]
    params.port = port
    params.api_keys = [api_key]
    # The default echoes any origin, so that a page in a browser could read answers.
    params.cors_origins = ""
    params.cors_methods = ""
    params.cors_headers = ""
    params.cors_credentials = False
    # Other users' prompts would be readable there.
    params.endpoint_slots = False
    params.endpoint_props = False
    params.ui = False
    params.offline = True


def _fail(status: int, sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    os._exit(status)


if __name__ == "__main__":
    main()
