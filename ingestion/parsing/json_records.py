"""JSON, as a whole or line by line: lists of flat objects are tables, everything else lines of 'path: value'."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestion.errors import DamagedDocumentError, TooMuchTextError
from ingestion.parsing.archive_limits import uncollected
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.encoding import decode
from ingestion.parsing.tables import Flow
from ingestion.parsing.text import read_text_bytes

# An object takes some 300 bytes of memory, whatever it holds.
_MOST_CONTAINERS = 1_000_000
_MOST_COLUMNS = 60
# Below this share of its cells filled, a table says less than lines do.
_FILLED_SHARE = 0.3
_SHORT_LIST_CHARS = 500
# Names of the outer objects are headings; further in they are parts of the path.
_HEADING_LEVELS = 2
# Of JSON lines so many may be broken, as the last is where a log was cut off.
_BROKEN_SHARE = 0.1


@dataclass(frozen=True)
class JsonParser:
    """application/json, also with a value on each line. Numbers stay as they are written."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises TooMuchTextError, and DamagedDocumentError for what is no JSON or is nested too deeply."""
        text = decode(read_text_bytes(path, max_chars=self.options.max_chars)).lstrip("\ufeff")
        flow = Flow(max_chars=self.options.max_chars)
        if text.count("{") + text.count("[") > _MOST_CONTAINERS:
            raise TooMuchTextError(f"more than {_MOST_CONTAINERS} objects and lists")
        try:
            with uncollected():
                value, broken = _loaded(text)
                _write(value, path="", level=1, flow=flow)
        except RecursionError as exc:
            raise DamagedDocumentError("nested too deeply") from exc
        notes = (f"{broken} lines are no JSON, and were left out.",) if broken else ()
        return ParsedDocument(sections=flow.sections(), notes=(*notes, *flow.notes()))


def _loaded(text: str) -> tuple[Any, int]:
    """The value, or the list of the values on each line; and how many lines are broken."""
    try:
        return _value(text), 0
    except ValueError as exc:
        values: list[Any] = []
        broken = 0
        for line in filter(str.strip, text.split("\n")):
            try:
                values.append(_value(line))
            except ValueError:
                broken += 1
            if broken > 1 + _BROKEN_SHARE * (len(values) + broken):
                raise DamagedDocumentError("no JSON") from exc
        if len(values) <= broken:
            raise DamagedDocumentError("no JSON") from exc
        return values, broken


def _value(text: str) -> Any:
    # Python refuses numbers of thousands of digits, and rounds those with a point.
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def _write(value: Any, *, path: str, level: int, flow: Flow) -> None:
    if isinstance(value, dict):
        _write_object(value, path=path, level=level, flow=flow)
    elif isinstance(value, list):
        _write_list(value, path=path, level=level, flow=flow)
    else:
        words = _scalar(value)
        flow.item(f"{path}: {words}" if path and words else words)


def _write_object(value: dict[str, Any], *, path: str, level: int, flow: Flow) -> None:
    # What is simple first: the headings of what is not would take it in.
    for name, inner in value.items():
        if not isinstance(inner, dict | list):
            _write(inner, path=_joined(path, name), level=level, flow=flow)
    for name, inner in value.items():
        if not isinstance(inner, dict | list) or not inner:
            continue
        if level <= _HEADING_LEVELS and not path and name.strip():
            flow.heading(name, level=level)
            _write(inner, path="", level=level + 1, flow=flow)
        else:
            _write(inner, path=_joined(path, name), level=level + 1, flow=flow)


def _write_list(values: list[Any], *, path: str, level: int, flow: Flow) -> None:
    columns = _columns(values)
    if columns:
        flow.table([columns, *([_cell(value.get(name)) for name in columns] for value in values)], caption=path)
    elif all(not isinstance(value, dict | list) for value in values):
        _write_scalars([_scalar(value) for value in values], path=path, flow=flow)
    else:
        for place, value in enumerate(values):
            flow.end_list()
            # Only an object at the top may have headings: the second would look as if it belonged to the first.
            _write(value, path=f"{path}[{place}]", level=level + 1, flow=flow)


def _write_scalars(words: Sequence[str], *, path: str, flow: Flow) -> None:
    joined = ", ".join(words)
    if len(joined) <= _SHORT_LIST_CHARS and path:
        flow.item(f"{path}: {joined}")
        return
    if path:
        flow.item(f"{path}:")
    for word in words:
        flow.item(word)


def _columns(values: Sequence[Any]) -> list[str]:
    """The names in a list of flat objects, in the order in which they come up; none where it is no table."""
    if len(values) < 2 or not all(isinstance(value, dict) for value in values):
        return []
    names: dict[str, None] = {}
    filled = 0
    for value in values:
        if not all(_is_flat(inner) for inner in value.values()):
            return []
        names.update(dict.fromkeys(value))
        filled += len(value)
        if len(names) > _MOST_COLUMNS:
            return []
    return list(names) if filled >= _FILLED_SHARE * len(names) * len(values) else []


def _is_flat(value: Any) -> bool:
    if isinstance(value, list):
        return all(not isinstance(inner, dict | list) for inner in value)
    return not isinstance(value, dict)


def _cell(value: Any) -> str:
    return ", ".join(_scalar(inner) for inner in value) if isinstance(value, list) else _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
