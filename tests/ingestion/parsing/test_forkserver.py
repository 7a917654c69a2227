"""The fork server: several jobs at once, replaced when it dies, gone with its parent, and never shared by a fork."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingestion.config import IngestionConfig
from ingestion.errors import ParserCrashedError
from ingestion.parsing import supervision
from ingestion.parsing.media_types import TEXT
from ingestion.parsing.runner import parse_file

ROOT = Path(__file__).parents[3]
# Long enough for a machine that is busy with other things.
_PATIENCE_S = 30.0


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("words")
    return path


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the children's folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def read(parser: str, document: Path, config: IngestionConfig) -> str:
    parsers = {TEXT: f"tests.ingestion.parsing.hostile_parsers:{parser}"}
    return parse_file(document, name="words.txt", media_type=TEXT, config=config, parsers=parsers).sections[0].text


def server_pid() -> int:
    current = supervision._current
    assert current is not None
    return current.process.pid


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def pid_of_child(folder: Path) -> int:
    """Of a Loop, once it has begun."""
    found: list[str] = []

    def begun() -> bool:
        found[:] = [text for path in folder.glob("ragapp-parse-*/*/pid") if (text := path.read_text())]
        return bool(found)

    wait_until(begun)
    return int(found[0])


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_jobs_share_one_server(document: Path, config: IngestionConfig) -> None:
    read("Options", document, config)
    first = server_pid()
    read("Options", document, config)
    assert server_pid() == first


def test_server_has_one_thread_and_nothing_of_the_environment(
    document: Path, config: IngestionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGAPP_SECRET_KEY", "a-secret-of-the-parent")
    supervision.stop()
    read("Options", document, config)
    assert b"a-secret" not in Path(f"/proc/{server_pid()}/environ").read_bytes()
    assert len(list(Path(f"/proc/{server_pid()}/task").iterdir())) == 1


def test_threads_have_their_jobs_done_at_the_same_time(tmp_path: Path, config: IngestionConfig) -> None:
    documents = [tmp_path / f"{number}.txt" for number in range(6)]
    for document in documents:
        document.write_text(f"words of {document.name}")
    with ThreadPoolExecutor(6) as pool:
        texts = list(pool.map(lambda document: read("Slow", document, config), documents))
    assert texts == [f"words of {document.name}" for document in documents]


def test_job_of_a_server_that_dies_is_done_by_the_next(
    document: Path, config: IngestionConfig, temporary: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(read, "LoopOnce", document, config)
        child = pid_of_child(temporary)
        os.kill(server_pid(), signal.SIGKILL)
        assert job.result(timeout=_PATIENCE_S) == "attempt 1"
    wait_until(lambda: not is_running(child))
    assert list(temporary.iterdir()) == []


def test_job_that_loses_two_servers_is_given_up(document: Path, config: IngestionConfig, temporary: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(read, "Loop", document, config)
        for attempt in ("0", "1"):
            wait_until(lambda attempt=attempt: list(temporary.glob(f"*/{attempt}/pid")))  # type: ignore[misc]
            os.kill(server_pid(), signal.SIGKILL)
        with pytest.raises(ParserCrashedError, match="lost"):
            job.result(timeout=_PATIENCE_S)
    assert read("Options", document, config)


def test_server_that_died_between_jobs_is_replaced(document: Path, config: IngestionConfig) -> None:
    read("Options", document, config)
    first = server_pid()
    os.kill(first, signal.SIGKILL)
    assert read("Options", document, config)
    assert server_pid() != first


def test_server_that_hangs_is_replaced(
    document: Path, config: IngestionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    read("Options", document, config)
    first = server_pid()
    os.kill(first, signal.SIGSTOP)
    monkeypatch.setattr(supervision, "_GRACE_S", 0.1)
    monkeypatch.setattr(supervision, "_CANCEL_S", 0.1)
    with pytest.raises(ParserCrashedError, match="lost"):
        # The second server has no time to start either.
        read("Options", document, config.model_copy(update={"parse_timeout_s": 0.01}))
    assert not is_running(first)


def test_interrupted_wait_leaves_no_child(
    document: Path, config: IngestionConfig, temporary: Path, interrupted: None
) -> None:
    found: list[int] = []

    def interrupt() -> None:
        found.append(pid_of_child(temporary))
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(TimeLimitError):
        read("Loop", document, config)
    thread.join()
    assert not is_running(found[0])
    assert list(temporary.iterdir()) == []


class TimeLimitError(Exception):
    """What a task's time limit raises wherever the task is."""


@pytest.fixture
def interrupted() -> Iterator[None]:
    """SIGUSR1 raises in the main thread, as a task's time limit does."""

    def stop(*_: object) -> None:
        raise TimeLimitError

    before = signal.signal(signal.SIGUSR1, stop)
    yield
    signal.signal(signal.SIGUSR1, before)


_PARENT = """
import os, sys, tempfile
from pathlib import Path
from ingestion.config import IngestionConfig
from ingestion.parsing import supervision
from ingestion.parsing.runner import parse_file

def read(parser):
    parsers = {"text/plain": f"tests.ingestion.parsing.hostile_parsers:{parser}"}
    config = IngestionConfig(files_dir=Path("f"), index_dir=Path("i"))
    return parse_file(Path(sys.argv[1]), name="words.txt", media_type="text/plain", config=config, parsers=parsers)
"""


def parent(program: str, document: Path, *, temporary: Path) -> "subprocess.Popen[str]":
    """A process that parses."""
    return subprocess.Popen(
        [sys.executable, "-c", _PARENT + textwrap.dedent(program), str(document)],
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_server_child_and_folder_go_with_a_parent_that_is_killed(document: Path, temporary: Path) -> None:
    with parent('read("Loop")', document, temporary=temporary) as process:
        child = pid_of_child(temporary)
        server = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_running(child) and not is_running(server))
    wait_until(lambda: not list(temporary.iterdir()))


def test_folder_of_a_finished_job_goes_with_a_parent_that_is_killed_while_it_reads_the_answer(
    document: Path, temporary: Path
) -> None:
    program = """
        from ingestion.parsing import runner
        runner.read_answer = lambda *_, **__: os.kill(os.getpid(), 9)
        read("Options")
    """
    with parent(program, document, temporary=temporary) as process:
        assert process.wait(_PATIENCE_S) == -signal.SIGKILL
    wait_until(lambda: not list(temporary.iterdir()))


def test_folders_left_by_a_machine_that_stopped_are_removed_at_the_next_start(
    document: Path, temporary: Path, config: IngestionConfig
) -> None:
    old, new = (temporary / f"ragapp-parse-{age}" for age in ("old", "new"))
    for folder in (old, new):
        (folder / "0").mkdir(parents=True)
    os.utime(old, (0, 0))
    supervision.stop()
    read("Options", document, config)
    assert list(temporary.iterdir()) == [new]


def test_child_goes_with_a_server_that_is_killed(document: Path, temporary: Path) -> None:
    with parent('read("LoopOnce")', document, temporary=temporary) as process:
        child = pid_of_child(temporary)
        server = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: not is_running(child))
        assert process.wait(_PATIENCE_S) == 0


def test_server_ends_quietly_with_a_parent_that_ends(document: Path, temporary: Path) -> None:
    program = """
        read("Options")
        print(supervision._current.process.pid)
    """
    with parent(program, document, temporary=temporary) as process:
        output, _ = process.communicate(timeout=_PATIENCE_S)
    assert output.strip().isdigit(), output
    assert not is_running(int(output))


def test_children_of_children_end_with_the_job_where_the_kernel_cannot_refuse_them(
    document: Path, temporary: Path
) -> None:
    program = """
        server = "import sys; from ingestion.parsing import forkserver, sandbox; sandbox.isolation = frozenset; "
        supervision._PROGRAM = ("-c", server + "forkserver.main(sys.argv[1:])")
        orphan = read("Orphaning").sections[0].text
        print(orphan, os.path.exists(f"/proc/{orphan}"))
    """
    with parent(program, document, temporary=temporary) as process:
        output, _ = process.communicate(timeout=_PATIENCE_S)
    assert output.split()[1:] == ["False"], output


def test_forked_process_has_a_server_of_its_own(document: Path, temporary: Path) -> None:
    program = """
        read("Options")
        before = supervision._current.process.pid
        child = os.fork()
        if child == 0:
            read("Options")
            print(before != supervision._current.process.pid, flush=True)
            supervision.stop()
            os._exit(0)
        os.waitpid(child, 0)
        read("Options")
        print(before == supervision._current.process.pid)
    """
    with parent(program, document, temporary=temporary) as process:
        output, _ = process.communicate(timeout=_PATIENCE_S)
    assert output.split() == ["True", "True"], output


def test_a_process_that_ends_without_asking_anybody_leaves_no_server(tmp_path: Path, document: Path) -> None:
    program = f"""
        import os, threading
        from pathlib import Path
        from ingestion.config import IngestionConfig
        from ingestion.parsing import supervision
        from ingestion.parsing.runner import parse_file

        config = IngestionConfig(files_dir=Path({str(tmp_path)!r}), index_dir=Path({str(tmp_path)!r}))

        def read():
            parse_file(Path({str(document)!r}), name="words.txt", config=config)

        read()
        print(supervision._current.process.pid, flush=True)
        supervision.end()
        late = threading.Thread(target=read, daemon=True)
        late.start()
        late.join(1)
        print(late.is_alive(), flush=True)
        os._exit(0)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    pid, waits = ran.stdout.split()
    assert not Path(f"/proc/{pid}").exists()
    assert waits == "True", "a reader that comes late starts no other server"
