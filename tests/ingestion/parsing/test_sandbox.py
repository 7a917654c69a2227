"""What the kernel refuses to a parsing child, past Python, and what is left where the kernel offers less."""

import errno
import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ingestion.config import IngestionConfig
from ingestion.parsing import seccomp
from ingestion.parsing.media_types import TEXT
from ingestion.parsing.runner import parse_file
from ingestion.parsing.sandbox import Layer, isolation
from tests.ingestion.parsing.hostile_parsers import attempts

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The child's own."""
    path = tmp_path / "own"
    path.mkdir()
    return path


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A document in a folder with a secret."""
    path = tmp_path / "documents" / "words.txt"
    path.parent.mkdir()
    path.write_text("words")
    path.with_name("secret.txt").write_text("secret")
    return path


def test_kernel_refuses_every_way_out(document: Path, config: IngestionConfig) -> None:
    parsers = {TEXT: "tests.ingestion.parsing.hostile_parsers:Escaping"}
    parsed = parse_file(document, name="words.txt", media_type=TEXT, config=config, parsers=parsers)
    results = [line.rpartition(" ") for line in parsed.sections[0].text.split("\n")]
    assert [name for name, _, result in results if result not in {"EPERM", "EACCES"}] == []
    assert len(results) == len(attempts(beside=document, parent=1))
    assert sorted(path.name for path in document.parent.iterdir()) == ["secret.txt", "words.txt"]


def test_the_same_ways_are_open_without_the_sandbox(document: Path, folder: Path) -> None:
    """So that a refusal above is the sandbox's, and no typing error in the attempt."""
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from tests.ingestion.parsing.hostile_parsers import attempts
        for name, attempt in attempts(beside=Path(sys.argv[1]), parent=os.getppid()).items():
            print(name, attempt())
    """)
    lines = _python(program, str(document), cwd=folder).split("\n")
    refused = [line for line in lines if line.endswith((" EPERM", " EACCES"))]
    # The first three need a privilege on some machines, the last is none's business in a container.
    assert {line.rpartition(" ")[0] for line in refused} <= {"memory of the parent", "priority", "linking", "rings"}


def test_every_layer_is_on_where_the_kernel_has_it() -> None:
    assert isolation() >= {Layer.LIMITS, Layer.HOOK}
    assert isolation() == set(Layer)


@pytest.mark.parametrize(
    ("action", "refused"),
    [
        ("open('/etc/passwd').read()", "may not open"),
        ("open(sys.argv[1] + '/secret.txt').read()", "may not open"),
        ("open(sys.argv[1] + '/stolen.txt', 'w').write('x')", "may not open"),
        ("open(b'/etc/passwd').read()", "may not open"),
        ("os.open('/etc/passwd', os.O_RDONLY)", "may not open"),
        ("os.symlink('/etc/passwd', 'link'); open('link').read()", "may not: os.symlink"),
        ("os.remove(sys.argv[1] + '/secret.txt')", "may not: os.remove"),
        ("os.rename(sys.argv[1] + '/secret.txt', 'mine')", "may not: os.rename"),
        ("os.rename('mine', sys.argv[1] + '/secret.txt')", "may not: os.rename"),
        ("os.chmod(sys.argv[1] + '/secret.txt', 0o777)", "may not: os.chmod"),
        ("os.mkdir(sys.argv[1] + '/more')", "may not: os.mkdir"),
        ("__import__('socket').socket()", "may not: socket"),
        ("os.system('true')", "may not: os.system"),
        ("os.fork()", "may not: os.fork"),
        ("os.kill(os.getppid(), 0)", "may not: os.kill"),
        ("__import__('urllib.request').request.urlopen('http://127.0.0.1:9')", "may not: urllib"),
    ],
)
def test_python_refuses_the_same_where_the_kernel_cannot(
    action: str, refused: str, document: Path, folder: Path
) -> None:
    program = f"{_ENTERED.format(layers='[]')}\n{action}"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        _python(program, str(document.parent), cwd=folder)
    assert f"PermissionError: a parser {refused}" in failed.value.stderr
    assert document.with_name("secret.txt").read_text() == "secret"


def test_python_allows_the_document_libraries_and_the_own_folder(document: Path, folder: Path) -> None:
    action = """
        import sqlite3, zoneinfo, xml.sax
        open('mine', 'w').write('x'); os.rename('mine', 'other'); os.mkdir('sub'); os.remove('other')
        print(open(sys.argv[1] + '/words.txt').read())
    """
    program = _ENTERED.format(layers="[]") + textwrap.dedent(action)
    assert _python(program, str(document.parent), cwd=folder) == "words"


@pytest.mark.parametrize("layer", ["landlock", "seccomp"])
def test_nothing_is_parsed_where_a_layer_of_the_kernel_fails(layer: str, document: Path, folder: Path) -> None:
    broken = f"def restrict(**_): raise OSError(22, 'no')\nsandbox.{layer}.restrict = restrict\n"
    program = _ENTERED.format(layers="list(sandbox.Layer)").replace("sandbox.enter(", broken + "sandbox.enter(")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        _python(program, str(document.parent), cwd=folder)
    assert "SandboxError" in failed.value.stderr


# Enters the sandbox with some layers alone.
_ENTERED = """
import os, sys
from pathlib import Path
from ingestion.parsing import sandbox
sandbox.isolation = lambda: frozenset({layers})
limits = sandbox.Limits(
    memory_bytes=2**30, wall_s=9, cpu_s=9, file_bytes=2**20, folder_bytes=2**20, folder_files=9, threads=9
)
sandbox.enter(limits=limits, file=Path(sys.argv[1]) / "words.txt", folder=Path.cwd())
"""


def _python(program: str, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


PID = 4321
REFUSED, UNKNOWN, ALLOWED = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS, 0x7FFF0000


def verdict(machine: str, call: int, *arguments: int, audit: int | None = None) -> int:
    """What the filter says of a system call: an interpreter of the few instructions that it is made of."""
    architecture = seccomp.ARCHITECTURES[machine]
    code = list(struct.iter_unpack("HBBI", seccomp.program(architecture, pid=PID)))
    six = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", call, architecture.audit if audit is None else audit, 0, *six)
    at = held = 0
    while True:
        operation, hit, miss, value = code[at]
        at += 1
        if operation == 0x20:
            (held,) = struct.unpack_from("<I", data, value)
        elif operation == 0x06:
            return int(value)
        else:
            passed = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[operation]
            at += hit if passed else miss


# read, openat, mmap, futex, rt_sigaction, clock_gettime, sched_yield, set_robust_list, getrandom, rseq
HARMLESS = {
    "x86_64": (0, 257, 9, 202, 13, 228, 24, 273, 318, 334),
    "aarch64": (63, 56, 222, 98, 134, 113, 124, 99, 278, 293),
}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_lets_ordinary_work_through_on_both_architectures(machine: str) -> None:
    assert {verdict(machine, call) for call in HARMLESS[machine]} == {ALLOWED}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_looks_into_calls_that_may_go_either_way(machine: str) -> None:
    number = seccomp.ARCHITECTURES[machine].numbers
    thread = 0x3D0F00
    assert verdict(machine, number["clone"], thread) == ALLOWED
    assert verdict(machine, number["clone"], 17) == REFUSED
    assert verdict(machine, number["clone3"]) == UNKNOWN
    assert verdict(machine, number["kill"], PID, 9) == ALLOWED
    assert verdict(machine, number["kill"], PID + 1, 9) == REFUSED
    assert verdict(machine, number["kill"], 2**64 - 1, 9) == REFUSED
    assert verdict(machine, number["tgkill"], PID, PID, 6) == ALLOWED
    assert verdict(machine, number["prlimit64"], 0, 7) == ALLOWED
    assert verdict(machine, number["prlimit64"], 1, 7) == REFUSED
    assert verdict(machine, number["prctl"], 15) == ALLOWED
    assert verdict(machine, number["prctl"], 1) == REFUSED
    assert verdict(machine, number["fcntl"], 3, 1) == ALLOWED
    assert verdict(machine, number["fcntl"], 3, 8) == REFUSED
    assert verdict(machine, number["ioctl"], 3, 0x5412) == REFUSED
    assert verdict(machine, number["ioctl"], 3, 0x5401) == ALLOWED


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_refuses_calls_of_other_worlds(machine: str) -> None:
    number = seccomp.ARCHITECTURES[machine].numbers
    assert verdict(machine, number["socket"], 2, 1, 0) == REFUSED
    assert verdict(machine, number["execve"]) == REFUSED
    assert verdict(machine, 463) == UNKNOWN
    assert verdict(machine, 0x40000000 + 41) == 0x80000000
    assert verdict(machine, 0, audit=0x40000003) == 0x80000000
