"""One process a worker: `python -m ingestion.parsing.forkserver SOCKET_FD PARENT_PID`. Forks a child for each job.

Has the parsers loaded and holds nothing else: no database, no secrets, no threads. It reads no file and no answer;
it starts children, watches their time, memory, threads and folder, ends them, and says how they ended.
"""

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from ingestion.parsing import child, sandbox
from ingestion.parsing.jobs import Ended, Job, Outcome
from ingestion.parsing.leftovers import remove_folder

# Loaded once for all children, beside the parsers themselves. Text recognition is loaded where it is needed: it brings
# threads, and a process with threads must not fork.
_PRELOADED = (
    "csv", "email.parser", "zipfile", "xml.etree.ElementTree", "charset_normalizer", "lxml.etree", "olefile",
    "PIL.Image", "PIL.ImageOps", "PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.TiffImagePlugin", "pypdfium2",
)  # fmt: skip
_WATCH_S = 0.05
_IDLE_S = 1.0
_FOLDER_EVERY = 4
_MOST_FDS_A_MESSAGE = 16
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_BLOCK_BYTES = 512
_FAILED_TO_START = 70


@dataclass(eq=False)
class _Running:
    """A child at work or done, and the socket to whoever waits for it, who closes it when the folder is gone."""

    job: Job
    pid: int
    peer: socket.socket
    deadline: float
    ended: Ended = Ended.NO
    looks: int = 0
    is_awaited: bool = True


@dataclass
class _Server:
    control: socket.socket
    parent: int
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    running: dict[int, _Running] = field(default_factory=dict)
    done: list[_Running] = field(default_factory=list)
    received: bytes = b""
    peers: deque[int] = field(default_factory=deque)

    def serve(self) -> None:
        """Until the parent closes its end or is gone."""
        self.selector.register(self.control, selectors.EVENT_READ)
        self.selector.register(_wake_up_on_child(), selectors.EVENT_READ)
        try:
            while os.getppid() == self.parent and self._turn():
                pass
        finally:
            self._end_all()

    def _turn(self) -> bool:
        for key, _ in self.selector.select(_WATCH_S if self.running else _IDLE_S):
            if key.fileobj is self.control:
                if not self._receive():
                    return False
            elif isinstance(key.data, _Running):
                self._hear(key.data)
            else:
                os.read(key.fd, 4096)
        self._reap()
        for each in list(self.running.values()):
            self._watch(each)
        return True

    def _receive(self) -> bool:
        """Jobs as they come: a line of JSON each, and with it a socket for the outcome. False at the end."""
        data, fds, _, _ = socket.recv_fds(self.control, 65536, _MOST_FDS_A_MESSAGE)
        if not data:
            return False
        self.peers.extend(fds)
        *lines, self.received = (self.received + data).split(b"\n")
        for line in lines:
            self._start(Job.from_json(line), peer=socket.socket(fileno=self.peers.popleft()))
        return True

    def _start(self, job: Job, *, peer: socket.socket) -> None:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become_child(job, server=server)
        each = _Running(job=job, pid=pid, peer=peer, deadline=time.monotonic() + job.limits.wall_s)
        self.running[pid] = each
        self.selector.register(peer, selectors.EVENT_READ, data=each)

    def _hear(self, each: _Running) -> None:
        """Nothing is ever sent here: whoever waited is done with the folder, has given up, or is gone."""
        self.selector.unregister(each.peer)
        each.is_awaited = False
        if self.running.get(each.pid) is each:
            _end(each, Ended.CANCELLED)
        else:
            self._release(each)

    def _release(self, each: _Running) -> None:
        self.done.remove(each)
        each.peer.close()
        _remove(each.job.folder)

    def _reap(self) -> None:
        for each in list(self.running.values()):
            # Its number is not given to another process before wait4 below, so that the whole group can be ended.
            if os.waitid(os.P_PID, each.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill(each.pid)
            _, status, usage = os.wait4(each.pid, 0)
            del self.running[each.pid]
            self._end_strays()
            self._report(each, Outcome(os.waitstatus_to_exitcode(status), _peak_bytes(usage.ru_maxrss), each.ended))

    def _report(self, each: _Running, outcome: Outcome) -> None:
        self.done.append(each)
        if not each.is_awaited:
            # Before it is said: whoever gave up waits for that alone.
            _remove(each.job.folder)
        # Perhaps nobody waits any more.
        with contextlib.suppress(OSError):
            each.peer.sendall(outcome.as_json().encode() + b"\n")
        if not each.is_awaited:
            self._release(each)

    def _end_strays(self) -> None:
        """Children of children, which come to this process when their own parent ends."""
        try:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        except OSError:
            return
        for pid in set(map(int, children)) - self.running.keys():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _watch(self, each: _Running) -> None:
        each.looks += 1
        limits = each.job.limits
        if time.monotonic() > each.deadline:
            _end(each, Ended.TIME)
        elif _resident_bytes(each.pid) > limits.memory_bytes:
            _end(each, Ended.MEMORY)
        elif _threads(each.pid) > limits.threads:
            _end(each, Ended.THREADS)
        elif each.looks % _FOLDER_EVERY == 0 and _is_over(each.job):
            _end(each, Ended.FOLDER)

    def _end_all(self) -> None:
        """The parent is gone: its temporary folders are nobody's now."""
        for each in self.running.values():
            _kill(each.pid)
            os.waitpid(each.pid, 0)
        for each in (*self.running.values(), *self.done):
            _remove(each.job.folder)


def main(arguments: list[str]) -> None:
    """Serve the jobs that come over the socket `arguments[0]` from the process `arguments[1]`."""
    control, parent = int(arguments[0]), int(arguments[1])
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _preload()
    _Server(control=socket.socket(fileno=control), parent=parent).serve()


def _preload() -> None:
    from ingestion.parsing.registry import PARSERS

    parsers = (path.partition(":")[0] for path in PARSERS.values())
    for module in dict.fromkeys((*_PRELOADED, *parsers)):
        try:
            importlib.import_module(module)
        except Exception as exc:
            # Not installed, or broken: the job that needs it will say so.
            print(f"ragapp parsing: {module} is not loaded ahead: {exc!r}", file=sys.stderr)
    sandbox.libraries()
    gc.collect()
    # Children never look at these objects again, so that their memory stays shared.
    gc.freeze()


def _wake_up_on_child() -> socket.socket:
    awake, wake = socket.socketpair()
    for end in (awake, wake):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return awake


def _become_child(job: Job, *, server: int) -> None:
    """Never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == server:
            os.closerange(sys.stderr.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
            child.run(job)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(_FAILED_TO_START)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end(each: _Running, why: Ended) -> None:
    each.ended = each.ended or why
    _kill(each.pid)


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # not yet a group of its own, or only its dead leader is left


def _remove(folder: Path) -> None:
    """With the folder that was made for it, unless another attempt is in there."""
    remove_folder(folder)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _threads(pid: int) -> int:
    try:
        # The name, in brackets, may hold anything; the number of threads is the 18th after it.
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[17])
    except (OSError, IndexError):
        return 0


def _is_over(job: Job) -> bool:
    """Whether there are too many files or too large ones. No recursion: the folders may be nested without end."""
    files = size = 0
    waiting = [str(job.folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
                    if files > job.limits.folder_files or size > job.limits.folder_bytes:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except FileNotFoundError:
            # Removed while it was counted.
            continue
        except OSError:
            # A folder that cannot be looked into hides what is in it: nested beyond a path's length, or closed.
            return True
    return False


def _peak_bytes(maxrss: int) -> int:
    return maxrss if sys.platform == "darwin" else maxrss * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
