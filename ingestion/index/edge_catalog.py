"""The generations of the embedded index, in one folder that one process owns.

| in the folder | for |
|---|---|
| owner.lock | an exclusive lock, with the owner's process id as text |
| chunks_<model>_<dimension>_v<schema>_g<n>/identity.json | what the generation was built with |
| chunks_<model>_<dimension>_v<schema>_g<n>/shard/ | the engine's own files |
| chunks_<model>_<dimension>_v<schema>.live | the name of the live generation; replaced as a whole |
| *.new, *.gone | what a killed process was making or removing; the next owner sweeps it away |
| identity.json, shard/ | the one index of schema 1, called 'legacy' here: listed and dropped, never opened |
"""

import fcntl
import json
import os
import shutil
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import qdrant_edge as edge

from ingestion.errors import IndexInUseError, IndexMismatchError, IndexUnavailableError
from ingestion.index.base import IndexIdentity
from ingestion.index.edge import EdgeIndex, load_shard, make_shard, translated
from ingestion.index.payload import alias_of, checked_name, generation_name, identity_in, identity_of, next_number

LEGACY = "legacy"
_GENERATIONS = "chunks_*_g*"


@dataclass
class _Shard:
    """An engine over one generation's files, of which this process may have only one, and how many use it."""

    engine: edge.EdgeShard
    users: int = 0


class EdgeCatalog:
    """IndexCatalog over Qdrant Edge. Owns the folder from construction until it is closed.

    Raises IndexInUseError where another process owns it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[str, _Shard] = {}
        self._turn = threading.RLock()
        with translated():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._owner = _owned(folder / "owner.lock")
            for left in (*folder.glob("*.new"), *folder.glob("*.gone")):
                _remove(left)

    def live(self, identity: IndexIdentity) -> str | None:
        """What the pointer says, also where that generation is gone: then opening it raises.

        Raises IndexMismatchError where another model's name comes to the same alias, IndexUnavailableError for a
        pointer that cannot be read.
        """
        alias = alias_of(identity)
        name = self._pointers().get(alias)
        if name is None:
            return None
        if not name.startswith(f"{alias}_g"):
            raise IndexUnavailableError(f"{alias}.live points to {name!r}")
        built = identity_in(_record(self._path(name)))
        if built not in {identity, None}:
            raise IndexMismatchError(f"{name} was built with {built}, asked for with {identity}")
        return name

    def generations(self) -> dict[str, IndexIdentity]:
        """Those in the folder. One that does not say what it was built for is left out; it can be dropped."""
        with translated():
            paths = {path.name: path for path in sorted(self._folder.glob(_GENERATIONS)) if _is_generation(path)}
            found = {name: identity_in(_record(path)) for name, path in (paths | {LEGACY: self._folder}).items()}
        return {name: identity for name, identity in found.items() if identity is not None}

    def create(self, identity: IndexIdentity) -> str:
        """A new, empty generation. Made beside and moved into place: one that is there is whole."""
        with self._turn, translated():
            self._ensure_owned()
            taken = {path.name for path in self._folder.glob(_GENERATIONS)} | set(self._pointers().values())
            name = generation_name(identity, number=next_number(identity, names=taken))
            new = self._folder / f"{name}.new"
            _remove(new)
            new.mkdir(mode=0o700)
            _write(new / "identity.json", json.dumps(asdict(identity)))
            make_shard(new / "shard", identity=identity)
            new.rename(self._folder / name)
            _sync(self._folder)
        return name

    def open(self, name: str) -> EdgeIndex:
        """The generation; opened twice, both are of one engine, which the last to be closed closes."""
        with self._turn, translated():
            self._ensure_owned()
            identity = self._identity(name)
            if name not in self._shards:
                self._shards[name] = _Shard(load_shard(self._path(name) / "shard", identity=identity))
            shard = self._shards[name]
            shard.users += 1
        return EdgeIndex(
            shard.engine,
            identity=identity,
            release=lambda: self._release(name, shard=shard),
        )

    def switch(self, name: str) -> None:
        """Replace the pointer; on return it is on disk. Raises IndexUnavailableError where the generation is gone."""
        with self._turn, translated():
            self._ensure_owned()
            alias = alias_of(self._identity(name))
            pointer = self._folder / f"{alias}.live"
            new = pointer.with_name(f"{pointer.name}.new")
            _write(new, name)
            new.replace(pointer)
            _sync(self._folder)

    def retire(self, identity: IndexIdentity) -> None:
        """Remove the pointer; on return that is on disk."""
        with self._turn, translated():
            self._ensure_owned()
            (self._folder / f"{alias_of(identity)}.live").unlink(missing_ok=True)
            _sync(self._folder)

    def drop(self, name: str) -> None:
        """Remove the generation's files; whoever still has it open meets IndexUnavailableError from then on."""
        with self._turn, translated():
            self._ensure_owned()
            if name in self._pointers().values():
                raise IndexInUseError(f"{name} is live")
            if name == LEGACY:
                self._drop_legacy()
                return
            path = self._path(name)
            self._close_shard(name)
            if path.exists():
                _discard(path)

    def close(self) -> None:
        """Flush and close every generation, and let another process own the folder. Twice is no error."""
        with self._turn, translated():
            try:
                for name in list(self._shards):
                    self._close_shard(name)
            finally:
                self._owner.close()

    def _release(self, name: str, *, shard: _Shard) -> None:
        with self._turn, translated():
            shard.users -= 1
            if not shard.users and self._shards.get(name) is shard:
                self._close_shard(name)

    def _close_shard(self, name: str) -> None:
        shard = self._shards.pop(name, None)
        if shard is not None:
            shard.engine.flush()
            shard.engine.close()

    def _drop_legacy(self) -> None:
        for path in (self._folder / "shard", self._folder / "identity.json"):
            if path.exists():
                _discard(path)

    def _identity(self, name: str) -> IndexIdentity:
        if name == LEGACY and (self._folder / "identity.json").exists():
            raise IndexMismatchError(f"{self._folder} holds an index of an earlier schema")
        path = self._path(name)
        if not path.is_dir():
            raise IndexUnavailableError(f"no generation {name} is in {self._folder}")
        return identity_of(name, record=_record(path))

    def _path(self, name: str) -> Path:
        return self._folder / checked_name(name)

    def _pointers(self) -> dict[str, str]:
        """Alias to name."""
        with translated():
            return {path.stem: path.read_text(encoding="utf-8").strip() for path in self._folder.glob("*.live")}

    def _ensure_owned(self) -> None:
        if self._owner.closed:
            raise IndexUnavailableError("the catalog was closed")


def _owned(path: Path) -> IO[str]:
    """The open lock file; the lock goes with the process, also when it is killed."""
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise IndexInUseError(f"the index in {path.parent} is in use by process {owner}") from exc
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def _is_generation(path: Path) -> bool:
    return path.is_dir() and path.suffix not in {".new", ".gone"}


def _record(path: Path) -> object:
    """What identity.json in the folder says; None where it cannot be read."""
    try:
        return json.loads((path / "identity.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _write(path: Path, text: str) -> None:
    """On disk on return."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """What was renamed in the folder survives a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _discard(path: Path) -> None:
    """Gone as a whole first, whatever happens while its files are removed."""
    gone = path.with_name(f"{path.name}.gone")
    _remove(gone)
    path.rename(gone)
    _sync(path.parent)
    _remove(gone)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
