"""What an index writes down beside vectors, and what a search is limited to, in plain values. Knows no engine.

| written with | what |
|---|---|
| a point | document_id, version, collection_id, label, media_type, language, dated (whole seconds since 1970 in UTC) |
| a generation | what it was built for; its name and its alias say the same in short |

The text of a chunk is in neither: the index holds vectors and hashed terms of it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ingestion.access import AccessScope
from ingestion.errors import IndexMismatchError, IndexUnavailableError
from ingestion.index.base import SCHEMA_VERSION, Attributes, Conditions, IndexIdentity
from ingestion.index.languages import ENGLISH

Payload = dict[str, str | int | None]

# The fields that searches and deletions are limited by. Each search is limited by the first, so engines group by it.
SCOPE_FIELD = "collection_id"
KEYWORD_FIELDS = ("document_id", "media_type", "language")
INTEGER_FIELDS = ("dated",)

# What has no label is the most sensitive.
_RESTRICTED = 3
_NAME = re.compile(r"chunks_[a-z0-9._-]+")


@dataclass(frozen=True)
class AnyOf:
    """The field must have one of the values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Between:
    """The field must be there and within both bounds, which are inclusive; None is open."""

    field: str
    least: int | None
    most: int | None


Limit = AnyOf | Between


def payload_of(attributes: Attributes) -> Payload:
    """As it is written down."""
    return asdict(attributes) | {"dated": _seconds(attributes.dated)}


def attributes_of(payload: Mapping[str, object] | None) -> Attributes:
    """Read back; `dated` in UTC, to the second. What is missing or of another kind is empty, a label RESTRICTED."""
    found = payload or {}
    seconds = found.get("dated")
    return Attributes(
        document_id=_text(found.get("document_id")),
        version=_whole(found.get("version"), otherwise=0),
        collection_id=_text(found.get("collection_id")),
        label=_whole(found.get("label"), otherwise=_RESTRICTED),
        media_type=_text(found.get("media_type")),
        language=_text(found.get("language")),
        dated=datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None,
    )


def limits_of(scope: AccessScope, *, conditions: Conditions) -> tuple[Limit, ...]:
    """All of them must hold. The scope is always the first, also where it is empty: then nothing matches."""
    lists = (
        AnyOf("document_id", tuple(sorted(conditions.document_ids))),
        AnyOf("media_type", tuple(sorted(conditions.media_types))),
        AnyOf("language", tuple(sorted(conditions.languages))),
    )
    dates = Between("dated", _seconds(conditions.since), _seconds(conditions.until))
    return (
        AnyOf(SCOPE_FIELD, tuple(sorted(scope.collection_ids))),
        *(each for each in lists if each.values),
        *([dates] if (dates.least, dates.most) != (None, None) else []),
    )


def alias_of(identity: IndexIdentity) -> str:
    """For instance chunks_all-minilm-l6-v2_384_v3, and ..._v3-german where the language is another."""
    model = re.sub(r"[^a-z0-9.-]+", "-", identity.embedding_model.lower()).strip("-.")
    language = "" if identity.language == ENGLISH else f"-{identity.language}"
    return f"chunks_{model}_{identity.dimension}_v{identity.schema_version}{language}"


def generation_name(identity: IndexIdentity, *, number: int) -> str:
    """For instance chunks_all-minilm-l6-v2_384_v3_g3."""
    return f"{alias_of(identity)}_g{number}"


def next_number(identity: IndexIdentity, *, names: set[str]) -> int:
    """One more than the highest among the names of this identity's generations; 1 for the first."""
    shape = re.compile(re.escape(alias_of(identity)) + r"_g(\d+)")
    return max((int(found[1]) for name in names if (found := shape.fullmatch(name))), default=0) + 1


def checked_name(name: str) -> str:
    """The name, where it can be one of a generation. Raises IndexUnavailableError, so that no path is made of it."""
    if not _NAME.fullmatch(name):
        raise IndexUnavailableError(f"no generation is named {name!r}")
    return name


def identity_in(record: object) -> IndexIdentity | None:
    """What was written down with a generation, or None where it is no identity."""
    match record:
        case {"embedding_model": str(model), "dimension": int(dimension), "schema_version": int(schema), **rest}:
            # Earlier schemas knew English alone, and did not say so.
            language = rest.pop("language", ENGLISH)
            return IndexIdentity(model, dimension, schema, language) if isinstance(language, str) and not rest else None
    return None


def identity_of(name: str, *, record: object) -> IndexIdentity:
    """What the generation was built for. Raises IndexMismatchError where its name or its schema says another thing."""
    identity = identity_in(record)
    if identity is None or not re.fullmatch(re.escape(alias_of(identity)) + r"_g\d+", name):
        raise IndexMismatchError(f"{name} was built with {record}")
    if identity.schema_version != SCHEMA_VERSION:
        raise IndexMismatchError(f"{name} has the points of schema {identity.schema_version}")
    return identity


def _seconds(moment: datetime | None) -> int | None:
    """Whole seconds, rounded down on both sides of a comparison. A moment that names no zone is taken as UTC."""
    if moment is None:
        return None
    return math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object, *, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise
