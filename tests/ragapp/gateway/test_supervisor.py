"""The model server's supervisor over a real engine and a real, tiny model: killed, starved, orphaned."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from ragapp.gateway import local_server
from ragapp.gateway.supervisor import Backoff, ModelServerState, ModelServerSupervisor
from ragapp.model_catalogue import CATALOGUE

ALIAS = "smollm2-135m-instruct"
LIMIT_S = 120.0
QUICK = Backoff(first_s=0.3, limit_s=0.5)
RULES = "Answer only from the passages, and say so where they are silent. " * 10


@pytest.fixture(scope="session")
def model(models_dir: Path) -> Path:
    return models_dir / CATALOGUE[ALIAS].target


@pytest.fixture(scope="module")
def ready(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServerSupervisor]:
    """One that no test harms."""
    with running(model, tmp_path_factory.mktemp("ready"), system_prompt=RULES) as supervisor:
        assert supervisor.wait_ready(LIMIT_S), supervisor.status()
        yield supervisor


@contextmanager
def running(
    model: Path, folder: Path, *, system_prompt: str = "", backoff: Backoff = QUICK
) -> Iterator[ModelServerSupervisor]:
    supervisor = ModelServerSupervisor(
        model, alias=ALIAS, log_file=folder / "logs" / "model.log", system_prompt=system_prompt, backoff=backoff
    )
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


# ------------------------------------------------------------------------------------------------ the endpoint


def test_the_first_question_finds_the_system_prompt_read_already(ready: ModelServerSupervisor) -> None:
    answer = ask(ready, "What is the capital of France?", system=RULES)

    assert answer["choices"][0]["message"]["content"].strip()
    assert answer["model"] == ready.model == ALIAS
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] > 100


def test_it_says_that_it_is_ready(ready: ModelServerSupervisor) -> None:
    status = ready.status()

    assert (status.state, status.restarts) == (ModelServerState.READY, 0)
    assert status.detail == f"The model {ALIAS} is ready."


def test_nobody_without_the_key_is_answered(ready: ModelServerSupervisor) -> None:
    answer = httpx.get(f"{ready.base_url}/models", headers={"Authorization": "Bearer guess"}, trust_env=False)

    assert answer.status_code == httpx.codes.UNAUTHORIZED


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_page_of_another_origin_may_not_read_answers(ready: ModelServerSupervisor, method: str) -> None:
    answer = httpx.request(
        method,
        f"{ready.base_url}/models",
        headers={"Origin": "http://evil.test", "Authorization": f"Bearer {ready.api_key}"},
        trust_env=False,
    )

    assert answer.headers.get("Access-Control-Allow-Origin", "") == ""


def test_prompts_of_others_cannot_be_listed(ready: ModelServerSupervisor) -> None:
    url = ready.base_url.removesuffix("/v1") + "/slots"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {ready.api_key}"}, trust_env=False)

    assert not answer.is_success


def test_it_listens_on_loopback_alone(ready: ModelServerSupervisor) -> None:
    assert ready.base_url.startswith("http://127.0.0.1:")
    with socket.socket() as probe:
        # The address of the same port on another interface of this machine is still free.
        probe.bind(("127.0.0.2", httpx.URL(ready.base_url).port or 0))


def test_key_and_prompts_are_neither_in_the_command_line_nor_in_the_log(
    ready: ModelServerSupervisor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ask(ready, "xylophone quarterly figures")
    command = Path(f"/proc/{ready.pid}/cmdline").read_text()
    logs = [file.read_text() for file in tmp_path_factory.getbasetemp().glob("ready*/logs/model.log")]

    assert logs
    for text in (command, *logs):
        assert ready.api_key not in text
        assert "xylophone" not in text


def test_our_own_secrets_are_not_handed_to_the_child(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGAPP_SECRET_KEY", "do-not-tell")
    with running(model, tmp_path) as supervisor:
        assert supervisor.wait_ready(LIMIT_S)
        environment = Path(f"/proc/{supervisor.pid}/environ").read_text()

    assert "do-not-tell" not in environment


# --------------------------------------------------------------------------------------------------- its life


def test_a_killed_child_is_restarted_behind_the_same_address(model: Path, tmp_path: Path) -> None:
    with running(model, tmp_path) as supervisor:
        assert supervisor.wait_ready(LIMIT_S)
        address, first = supervisor.base_url, kill_child(supervisor)

        wait_until(lambda: supervisor.status().state is ModelServerState.RESTARTING)
        assert "killed" in supervisor.status().detail
        assert supervisor.wait_ready(LIMIT_S)

        assert supervisor.pid != first
        assert (supervisor.base_url, supervisor.status().restarts) == (address, 1)
        assert ask(supervisor, "Hello")["usage"]["completion_tokens"] > 0


def test_a_port_that_was_taken_meanwhile_is_given_up(model: Path, tmp_path: Path) -> None:
    with running(model, tmp_path, backoff=Backoff(first_s=1.0)) as supervisor, socket.socket() as squatter:
        assert supervisor.wait_ready(LIMIT_S)
        address = supervisor.base_url
        kill_child(supervisor)
        wait_until(lambda: supervisor.status().state is ModelServerState.RESTARTING)
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", httpx.URL(address).port or 0))
        squatter.listen()

        assert supervisor.wait_ready(LIMIT_S)
        assert supervisor.base_url != address


def test_after_stop_the_child_is_gone_and_start_brings_another(model: Path, tmp_path: Path) -> None:
    with running(model, tmp_path) as supervisor:
        assert supervisor.wait_ready(LIMIT_S)
        pid = supervisor.pid
        assert pid is not None

        supervisor.stop()

        assert not is_alive(pid)
        assert supervisor.status().state is ModelServerState.STOPPED
        supervisor.start()
        assert supervisor.wait_ready(LIMIT_S)


def test_stop_while_the_model_loads_leaves_nothing(model: Path, tmp_path: Path) -> None:
    with running(model, tmp_path) as supervisor:
        wait_until(lambda: supervisor.pid is not None)
        pid = supervisor.pid

    assert pid is not None
    assert not is_alive(pid)


@pytest.mark.parametrize("moment", ["loading", "ready"])
def test_the_child_ends_with_a_parent_that_was_killed(model: Path, tmp_path: Path, moment: str) -> None:
    script = (
        "import sys, time; from pathlib import Path; from ragapp.gateway.supervisor import ModelServerSupervisor\n"
        f"supervisor = ModelServerSupervisor(Path({str(model)!r}), alias='m', log_file=Path('model.log'))\n"
        "supervisor.start()\n"
        f"{'supervisor.wait_ready(120)' if moment == 'ready' else ''}\n"
        "while supervisor.pid is None: time.sleep(0.01)\n"
        "print(supervisor.pid, flush=True)\n"
        "time.sleep(600)"
    )
    project = Path(local_server.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()

    wait_until(lambda: not is_alive(child))


def test_the_child_ends_when_its_input_ends(model: Path, tmp_path: Path) -> None:
    """The way that works on every system; Linux's own is tested above."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, local_server.__file__, f"--model={model}", "--alias=m", f"--port={port}"]
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen(
            command,
            env={**os.environ, local_server.API_KEY_VARIABLE: "k"},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
    child.communicate(timeout=LIMIT_S)

    assert child.returncode == 0


def test_a_child_without_a_key_refuses_to_start(model: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != local_server.API_KEY_VARIABLE}
    command = [sys.executable, local_server.__file__, f"--model={model}", "--alias=m", "--port=1"]
    # Its input stays open while we wait: at the end of that, it would leave without a word.
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        said = child.stderr.read().decode()

    assert child.returncode == local_server.EXIT_USAGE
    assert "open to every user" in said


# -------------------------------------------------------------------------------------------------- bad models


def test_a_missing_model_is_named_and_found_once_it_is_there(model: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.gguf"
    with running(late, tmp_path, backoff=Backoff(first_s=2, limit_s=2)) as supervisor:
        wait_until(lambda: supervisor.status().state is ModelServerState.RESTARTING)
        assert f"{late} is missing" in supervisor.status().detail

        shutil.copy(model, tmp_path / "part")
        (tmp_path / "part").rename(late)

        assert supervisor.wait_ready(LIMIT_S)


@pytest.mark.parametrize(
    ("kept_bytes", "said"), [(0, "it is not GGUF"), (100_000, "damaged, incomplete or of an unknown kind")]
)
def test_a_damaged_model_is_named(model: Path, tmp_path: Path, kept_bytes: int, said: str) -> None:
    damaged = tmp_path / "damaged.gguf"
    with model.open("rb") as source:
        damaged.write_bytes(source.read(kept_bytes))

    with running(damaged, tmp_path, backoff=Backoff(first_s=30)) as supervisor:
        wait_until(lambda: supervisor.status().state is ModelServerState.RESTARTING)
        detail = supervisor.status().detail

    assert str(damaged) in detail
    assert said in detail
    assert detail.endswith("It is started again in 30 s.")


def test_delays_double_up_to_the_limit() -> None:
    assert [Backoff().delay_s(failures) for failures in (1, 2, 3, 4, 5, 6, 1000)] == [1, 2, 4, 8, 16, 30, 30]


def ask(supervisor: ModelServerSupervisor, question: str, *, system: str = "Be brief.") -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    answer = httpx.post(
        f"{supervisor.base_url}/chat/completions",
        headers={"Authorization": f"Bearer {supervisor.api_key}"},
        json={"model": supervisor.model, "messages": messages, "max_tokens": 8, "temperature": 0},
        timeout=LIMIT_S,
        trust_env=False,
    )
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def kill_child(supervisor: ModelServerSupervisor) -> int:
    pid = supervisor.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def is_alive(pid: int) -> bool:
    """A zombie is not: whoever adopted it has yet to collect it, but it runs no more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool]) -> None:
    limit = monotonic() + LIMIT_S
    while not condition():
        assert monotonic() < limit, "it did not happen in time"
        sleep(0.02)
