"""What goes in and what comes out. Input is strict and closed: a field that is not named here is refused."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from django.http import HttpRequest
from ninja import Schema
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from ingestion.access import AccessScope
from ingestion.models import Collection, Document, DocumentVersion, Label
from ingestion.parsing.media_types import FORMAT_NAMES
from ragapp.accounts.models import User
from ragapp.answering.base import Passage, Reason
from ragapp.api.errors import ErrorOut
from ragapp.chat.limits import LANGUAGES, Limits
from ragapp.chat.models import Conversation, Message, Role
from ragapp.chat.schema import answer_body, passage_body
from ragapp.chat.services import QUESTION_LIMIT
from ragapp.errors import entry_for, error_body

LabelName = Literal["public", "internal", "confidential", "restricted"]
StateName = Literal["queued", "processing", "ready", "failed"]
SameNameName = Literal["new_version", "keep_both"]
# Of forms and queries, which know no null: absent is absent.
OptionalLabel = Annotated[LabelName | None, WithJsonSchema({"type": "string", "enum": get_args(LabelName)})]
OptionalState = Annotated[StateName | None, WithJsonSchema({"type": "string", "enum": get_args(StateName)})]

MAX_PAGE = 100
# SQLite's and PostgreSQL's integers end; nobody pages this far.
MAX_OFFSET = 1_000_000
MAX_HITS = 50
MAX_COLLECTIONS = 50


def storable(value: str) -> str:
    """PostgreSQL refuses NUL in text, and no store takes half a character; JSON can carry both."""
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("The text holds a NUL or half of a character.")
    return value


def _whole(value: object) -> object:
    """5.0 is an integer in JSON Schema, and some languages write no other number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_TEXT_PATTERN = r"^[^\x00]*\S[^\x00]*$"
_LINE_PATTERN = r"^[^\x00-\x1f\x7f]*$"
_NAME_PATTERN = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"

# A string: whether it is a UUID at all is the selectors' to say, so that a malformed id is not found like any other.
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
CollectionIds = Annotated[
    list[Id],
    Field(
        min_length=1,
        max_length=MAX_COLLECTIONS,
        description="Look in these alone. An id that is unknown or hidden from you is an error.",
    ),
]


def _known_media_type(value: str) -> str:
    if value not in FORMAT_NAMES:
        raise ValueError("No document has this type. One of: " + ", ".join(sorted(FORMAT_NAMES)))
    return value


MediaType = Annotated[
    str, AfterValidator(_known_media_type), WithJsonSchema({"type": "string", "enum": sorted(FORMAT_NAMES)})
]


def _known_language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError("There is no such language in ISO 639-1.")
    return value


LanguageCode = Annotated[str, Field(pattern="^[a-z]{2}$"), AfterValidator(_known_language)]


class Input(BaseModel):
    """A request body. Strict: "5" is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CollectionIn(Input):
    """A new collection. Nobody but admins reads it until `everyone` or a group is given."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Handbook", "label": "internal", "everyone": True}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=_NAME_PATTERN), AfterValidator(storable)]
    description: Annotated[str, Field(max_length=300, pattern=_LINE_PATTERN), AfterValidator(storable)] = ""
    label: Annotated[LabelName, Field(description="Sensitivity of what is in it.")] = "restricted"
    everyone: Annotated[bool, Field(description="Every signed-in person may read it.")] = False
    groups: Annotated[
        list[Annotated[str, Field(max_length=150, pattern=_LINE_PATTERN)]],
        Field(max_length=MAX_COLLECTIONS, description="Names of the groups that may read it."),
    ] = []


class LimitedIn(Input):
    """What a search is limited to, with or without an answer. What is left out limits nothing."""

    collection_ids: CollectionIds | None = None
    media_types: Annotated[
        list[MediaType] | None, Field(min_length=1, max_length=20, description="Only documents of these types.")
    ] = None
    languages: Annotated[
        list[LanguageCode] | None,
        Field(min_length=1, max_length=20, description="Only documents in these languages, ISO 639-1."),
    ] = None
    since: Annotated[
        AwareDatetime | None,
        Field(strict=False, description="Only documents whose content was last changed then or later."),
    ] = None
    until: Annotated[AwareDatetime | None, Field(strict=False, description="As `since`: then or earlier.")] = None

    @model_validator(mode="after")
    def _forwards(self) -> "LimitedIn":
        if self.since and self.until and self.since > self.until:
            raise ValueError("`until` is before `since`.")
        return self

    @property
    def limits(self) -> Limits:
        """As the conversation stores them. The collections are not looked up yet: `limits_check` does."""
        return Limits(
            collection_ids=frozenset(self.collection_ids or ()),
            media_types=frozenset(self.media_types or ()),
            languages=frozenset(self.languages or ()),
            since=self.since,
            until=self.until,
        )


class SearchIn(LimitedIn):
    """A search."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "days of parental leave", "limit": 5}]})

    query: Annotated[
        str, Field(min_length=1, max_length=QUESTION_LIMIT, pattern=_TEXT_PATTERN), AfterValidator(storable)
    ]
    limit: Annotated[int, Field(ge=1, le=MAX_HITS), BeforeValidator(_whole)] = 10


class AskIn(LimitedIn):
    """A question. Its length is judged with its own error codes, question_empty and question_too_long."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": "How many days of parental leave?"}]})

    question: Annotated[
        str,
        Field(json_schema_extra={"minLength": 1, "maxLength": QUESTION_LIMIT, "pattern": _TEXT_PATTERN}),
        AfterValidator(storable),
    ]
    conversation_id: Annotated[Id | None, Field(description="Go on with this conversation of yours.")] = None
    stream: Annotated[
        bool, Field(description="Answer as server-sent events, as `Accept: text/event-stream` does too.")
    ] = False


class ReparseIn(Input):
    """How to read a document again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ocr": "always"}]})

    ocr: Annotated[
        Literal["auto", "always", "never"],
        Field(description="Recognise text in images: where a page has none, on every page, or not at all."),
    ] = "auto"


class Paging(Schema):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0


class DocumentPaging(Paging):
    """Which part of a list of documents, and of which state."""

    state: OptionalState = None


class PersonOut(BaseModel):
    """The caller."""

    id: Id
    username: str
    name: str
    is_admin: bool

    @classmethod
    def of(cls, user: User) -> "PersonOut":
        """From a row."""
        return cls(id=str(user.pk), username=user.username, name=user.get_full_name(), is_admin=user.is_staff)


class CollectionOut(BaseModel):
    """A collection that you may read."""

    id: Id
    name: str
    description: str
    label: LabelName
    everyone: bool
    created_at: datetime

    @classmethod
    def of(cls, collection: Collection) -> "CollectionOut":
        """From a row."""
        return cls(
            id=str(collection.pk),
            name=collection.name,
            description=collection.description,
            label=label_name(collection.label),
            everyone=collection.everyone,
            created_at=collection.created_at,
        )


class DocumentOut(BaseModel):
    """A document. Poll it until `state` is ready or failed; `error` says why it failed."""

    id: Id
    collection_id: Id
    name: Annotated[str, Field(description="The file's name.")]
    title: str
    state: Literal["queued", "processing", "ready", "failed", "deleting"]
    step: Annotated[str, Field(description="While processing: what is being done.")]
    error: ErrorOut | None
    label: LabelName
    size: Annotated[int, Field(description="Bytes.")]
    sha256: str
    media_type: str
    language: Annotated[str, Field(description="ISO 639-1, or empty.")]
    dated: Annotated[datetime | None, Field(description="When its content was last changed, by its own word.")]
    pages: int | None
    chunk_count: int
    version: Annotated[int, Field(description="The latest one accepted; `state` is about it.")]
    live_version: Annotated[int | None, Field(description="The one that is searched now; null: none yet.")]
    archive_id: Annotated[Id | None, Field(description="The archive that it came out of.")]
    member_count: Annotated[int, Field(description="Of an archive: the documents that came out of it.")]
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, document: Document) -> "DocumentOut":
        """From a row."""
        return cls(
            id=str(document.pk),
            collection_id=str(document.collection_id),
            archive_id=str(document.archive_id) if document.archive_id else None,
            error=_error_of(document.error_code),
            label=label_name(document.label),
            **{name: getattr(document, name) for name in _SAME_IN_DOCUMENT},
        )


_SAME_IN_DOCUMENT = (
    "name", "title", "state", "step", "size", "sha256", "media_type", "language", "dated", "pages", "chunk_count",
    "version", "live_version", "member_count", "created_at", "updated_at", "finished_at",
)  # fmt: skip


class VersionOut(BaseModel):
    """One accepted file of a document. `times` says when each step last began."""

    number: int
    name: str
    sha256: str
    size: int
    media_type: str
    language: str
    dated: datetime | None
    pages: int | None
    chunk_count: int
    ocr: Literal["auto", "always", "never"]
    notes: Annotated[list[str], Field(description="What was left out, or read otherwise.")]
    times: dict[str, datetime]
    error: ErrorOut | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, version: DocumentVersion) -> "VersionOut":
        """From a row."""
        same = {name: getattr(version, name) for name in cls.model_fields if name != "error"}
        return cls(error=_error_of(version.error_code), **same)


class HitOut(BaseModel):
    """A passage that was found."""

    chunk_id: Id
    document_id: Id
    title: str
    page: Annotated[int | None, Field(description="From 1; null where the format has no pages.")]
    place: Annotated[str, Field(description="Where 'page' is the wrong word: 'slide 3', 'sheet Costs'. Else empty.")]
    heading: str
    text: str
    score: Annotated[float, Field(description="Both searches' scores, fused: 0 to 1.")]
    dense: Annotated[float, Field(description="Cosine with the question.")]
    url: Annotated[str, Field(description="Opens the passage in the browser.")]

    @classmethod
    def of(cls, passage: Passage, *, base_url: str) -> "HitOut":
        """From a passage."""
        return cls.model_validate(passage_body(passage, base_url=base_url))


class SearchOut(BaseModel):
    """What was found, best first."""

    hits: list[HitOut]
    relevant: Annotated[bool, Field(description="False: these are the nearest, but they hardly speak to the query.")]


class CitationOut(BaseModel):
    """The source behind [n] in an answer."""

    n: int
    document_id: Id
    title: str
    page: int | None
    place: str
    quote: str
    score: float
    url: Annotated[str | None, Field(description="Opens the passage; null once it is gone.")]


class FoundOut(BaseModel):
    """A passage that the search found for an answer."""

    document_id: Id
    title: str
    page: int | None
    place: str
    heading: str
    score: Annotated[float, Field(description="By which it was ranked: 0 to 1.")]
    dense: Annotated[float, Field(description="Cosine with the question.")]
    sparse: Annotated[float | None, Field(description="BM25's score; null where no word is shared.")]
    by: Annotated[list[Literal["meaning", "words"]], Field(description="Which search found it.")]
    given: Annotated[bool, Field(description="It was given to the model.")]
    reason: Annotated[
        str | None,
        Field(
            description="Why it was dropped: "
            + ", ".join(f"`{reason.value}` ({reason.sentence.rstrip('.')})" for reason in Reason)
            + "."
        ),
    ]
    url: Annotated[str | None, Field(description="Opens the passage; null once it is gone.")]


class SignalOut(BaseModel):
    """One piece of evidence of the router."""

    name: str
    finding: Literal["deny", "clean", "unknown"]
    evidence: str
    score: float | None
    threshold: float | None
    version: str


class RouteOut(BaseModel):
    """Where the question was answered, and why."""

    verdict: Literal["inside", "outside"]
    reason: str
    model: str
    signals: list[SignalOut]


class UsageOut(BaseModel):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


class AnswerOut(BaseModel):
    """An answer; the command line prints the same."""

    id: Id
    conversation_id: Id
    state: Literal["pending", "streaming", "finished", "stopped", "failed"]
    answer: str
    refused: Annotated[bool, Field(description="Your documents do not hold the answer.")]
    withdrawn: Annotated[
        bool, Field(description="A document behind it was deleted, or you may no longer read it: `answer` is empty.")
    ]
    truncated: Annotated[bool, Field(description="The length limit cut the answer.")]
    error_code: str | None
    citations: list[CitationOut]
    asked: Annotated[str | None, Field(description="What was searched for, where it is not what you typed.")]
    found: Annotated[list[FoundOut], Field(description="What the search found: given to the model, then dropped.")]
    nearest: Annotated[list[CitationOut], Field(description="Under a refusal: what came closest. Not sources.")]
    route: RouteOut | None
    usage: UsageOut | None
    timings: Annotated[
        dict[str, float] | None,
        Field(description="Seconds: embed, search, check and rank are the stages of retrieve; first_token, total."),
    ]


class LimitsOut(BaseModel):
    """What the search of a question was limited to. Empty limits nothing."""

    collection_ids: list[Id]
    media_types: list[str]
    languages: list[str]
    since: datetime | None
    until: datetime | None


class MessageOut(BaseModel):
    """A question, or an answer with its citations."""

    role: Literal["question", "answer"]
    text: str
    created_at: datetime
    limits: Annotated[LimitsOut | None, Field(description="Of a question: what its search was limited to.")]
    answer: AnswerOut | None

    @classmethod
    def of(cls, message: Message, *, scope: AccessScope, base_url: str) -> "MessageOut":
        """From a row with its citations."""
        is_answer = message.role == Role.ANSWER
        body = answer_body(message, scope=scope, base_url=base_url) if is_answer else None
        answer = AnswerOut.model_validate(body) if body else None
        text = answer.answer if answer else message.text
        limits = LimitsOut.model_validate(message.limits) if message.limits else None
        return cls(role=message.role, text=text, created_at=message.created_at, limits=limits, answer=answer)


class ConversationOut(BaseModel):
    """A conversation in a list."""

    id: Id
    title: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, conversation: Conversation) -> "ConversationOut":
        """From a row."""
        return cls(
            id=str(conversation.pk),
            title=conversation.title,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at,
        )


class ConversationDetailOut(ConversationOut):
    """A conversation with its messages, oldest first."""

    messages: list[MessageOut]


class CollectionsPage(BaseModel):
    """A part of a list; `count` is of the whole."""

    items: list[CollectionOut]
    count: int


class DocumentsPage(BaseModel):
    """A part of a list; `count` is of the whole."""

    items: list[DocumentOut]
    count: int


class ConversationsPage(BaseModel):
    """A part of a list; `count` is of the whole."""

    items: list[ConversationOut]
    count: int


def label_name(label: int) -> LabelName:
    """`Label.PUBLIC` is `public`."""
    name: Any = Label(label).name.lower()
    return name  # type: ignore[no-any-return]


def label_of(name: LabelName) -> Label:
    """`public` is `Label.PUBLIC`."""
    return Label[name.upper()]


def base_url_of(request: HttpRequest) -> str:
    """Scheme and host of this installation, as the caller reached it."""
    return request.build_absolute_uri("/").rstrip("/")


def _error_of(code: str) -> ErrorOut | None:
    return ErrorOut.model_validate(error_body(entry_for(code))["error"]) if code else None
