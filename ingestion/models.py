"""Collections, documents, versions and chunks: the truth from which the index is derived."""

import uuid

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from ingestion.parsing.base import Ocr


class Label(models.IntegerChoices):
    """Sensitivity, a lattice: a higher value is more sensitive. What has none is RESTRICTED."""

    PUBLIC = 0, "Public"
    INTERNAL = 1, "Internal"
    CONFIDENTIAL = 2, "Confidential"
    RESTRICTED = 3, "Restricted"


class OcrChoice(models.TextChoices):
    """When text in images is recognised."""

    AUTO = Ocr.AUTO, "Where a page has no text"
    ALWAYS = Ocr.ALWAYS, "On every page"
    NEVER = Ocr.NEVER, "Never"


class DocumentState(models.TextChoices):
    """Of the latest version. QUEUED → PROCESSING → READY or FAILED; DELETING from any of them, then the row goes.

    What is searchable is told by `live_version` alone: it stays while a newer version is read, and if that fails.
    """

    QUEUED = "queued", "Waiting"
    PROCESSING = "processing", "Reading"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    DELETING = "deleting", "Deleting"


class Collection(models.Model):
    """Documents that share a label and readers."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=300, blank=True)
    label = models.PositiveSmallIntegerField(choices=Label, default=Label.RESTRICTED)
    everyone = models.BooleanField(default=False, help_text="Every signed-in person may read it.")
    ocr = models.CharField(max_length=6, choices=OcrChoice, default=OcrChoice.AUTO)
    groups = models.ManyToManyField(Group, blank=True, related_name="collections")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Document(models.Model):
    """A document through all its versions; `version` is the latest accepted one, and `state` is about that one.

    Name, size and sha256 are of the latest version. Title, media type, language, date, pages and chunk_count are of
    the live one: they change with what is searchable.

    | field | while a worker has it |
    |---|---|
    | claim | a token of the run that holds it; every write of that run is conditional on it |
    | claimed_until | its lease, extended by a heartbeat; past that anyone may take it |
    | attempts | runs that ended without an outcome and without progress; progress sets it to 0 |
    | available_at | not before: after an outage of something else it waits, and waits longer each time |
    | index_stale | the index may hold points or attributes that SQL no longer has; the sweep sees to it |
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="documents")
    archive = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="members", help_text="It came out of."
    )
    name = models.CharField(max_length=255, help_text="The file's name, without folders.")
    title = models.CharField(max_length=255, blank=True)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    media_type = models.CharField(max_length=100, blank=True)
    language = models.CharField(max_length=8, blank=True, help_text="ISO 639-1.")
    dated = models.DateTimeField(null=True, blank=True, help_text="When its content was last changed.")
    label = models.PositiveSmallIntegerField(choices=Label, default=Label.RESTRICTED)
    state = models.CharField(max_length=12, choices=DocumentState, default=DocumentState.QUEUED)
    step = models.CharField(max_length=12, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    enqueued_at = models.DateTimeField(null=True, blank=True, help_text="When the broker last took its message.")
    available_at = models.DateTimeField(null=True, blank=True)
    delays = models.PositiveSmallIntegerField(default=0, help_text="Outages that it has waited for.")
    claim = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    live_version = models.PositiveIntegerField(null=True, blank=True)
    index_stale = models.BooleanField(default=False)
    pages = models.PositiveIntegerField(null=True, blank=True)
    chunk_count = models.PositiveIntegerField(default=0)
    member_count = models.PositiveIntegerField(default=0, help_text="Documents that came out of this archive.")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["collection", "sha256"],
                condition=~Q(state=DocumentState.DELETING),
                name="document_once_per_collection",
            ),
            models.CheckConstraint(
                condition=~Q(state=DocumentState.READY) | Q(chunk_count__gt=0) | Q(member_count__gt=0),
                name="document_ready_has_text",
            ),
            models.CheckConstraint(
                # A comparison with NULL is no violation, so NULL is named.
                condition=~Q(state=DocumentState.READY)
                | (Q(live_version__isnull=False) & Q(live_version=models.F("version"))),
                name="document_ready_is_live",
            ),
            models.CheckConstraint(
                condition=~Q(state=DocumentState.FAILED) | ~Q(error_code=""),
                name="document_failed_has_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "claimed_until"], name="document_state_claim"),
            models.Index(fields=["state", "created_at"], name="document_in_line"),
            models.Index(fields=["collection", "name"], name="document_by_name"),
            models.Index(fields=["index_stale"], condition=Q(index_stale=True), name="document_index_stale"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def effective_label(self) -> int:
        """How sensitive it is: at least as its collection."""
        return max(self.label, self.collection.label)

    @property
    def is_settled(self) -> bool:
        """True once nothing more happens by itself."""
        return self.state in {DocumentState.READY, DocumentState.FAILED}


class DocumentVersion(models.Model):
    """One accepted file of a document, kept until the document is deleted, and what reading it gave.

    `times` maps a step ('queued', 'parsing', 'embedding', 'indexing', 'ready', 'failed') to when it last began, ISO
    8601. `chunk_count` is set once the text is cut and stored: then a later attempt goes on from there.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    file = models.CharField(max_length=100, help_text="Path in the files folder. Versions of the same bytes share it.")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    ocr = models.CharField(max_length=6, choices=OcrChoice, default=OcrChoice.AUTO)
    title = models.CharField(max_length=255, blank=True)
    media_type = models.CharField(max_length=100, blank=True)
    language = models.CharField(max_length=8, blank=True)
    dated = models.DateTimeField(null=True, blank=True)
    pages = models.PositiveIntegerField(null=True, blank=True)
    chunk_count = models.PositiveIntegerField(default=0)
    embedded_count = models.PositiveIntegerField(default=0, help_text="Passages whose vector is stored.")
    notes = models.JSONField(default=list)
    times = models.JSONField(default=dict)
    error_code = models.CharField(max_length=40, blank=True)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["document", "number"], name="version_once_per_number")]

    def __str__(self) -> str:
        return f"{self.document_id} v{self.number}"


class Chunk(models.Model):
    """A passage of one version. Its id is also its point's id in the index.

    Those of replaced versions stay, out of every search, so that an old answer still opens what it cites.
    `boxes` are [left, top, right, bottom] in shares of the page, from its top left.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    version = models.PositiveIntegerField(default=1)
    ordinal = models.PositiveIntegerField()
    text = models.TextField()
    page = models.PositiveIntegerField(null=True, blank=True)
    place = models.CharField(max_length=200, blank=True, help_text="Where 'page N' is the wrong word: 'slide 3'.")
    heading = models.CharField(max_length=500, blank=True)
    start = models.PositiveIntegerField(help_text="Character offset in the version's text.")
    end = models.PositiveIntegerField()
    is_table = models.BooleanField(default=False)
    boxes = models.JSONField(default=list)

    class Meta:
        ordering = ["document", "version", "ordinal"]
        constraints = [
            models.UniqueConstraint(fields=["document", "version", "ordinal"], name="chunk_once_per_ordinal"),
        ]

    def __str__(self) -> str:
        return f"{self.document_id}#{self.ordinal}"


class ChunkEmbedding(models.Model):
    """A passage's vector by one model, kept so that an index can be built again without the model."""

    chunk = models.ForeignKey(Chunk, on_delete=models.CASCADE, related_name="embeddings")
    model = models.CharField(max_length=200)
    vector = models.BinaryField(help_text="float32, little-endian.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chunk", "model"], name="embedding_once_per_model")]

    def __str__(self) -> str:
        return f"{self.chunk_id} by {self.model}"


class BuildState(models.TextChoices):
    """REQUESTED → BUILDING → LIVE, then REPLACED by the next; FAILED and CANCELLED end it before that."""

    REQUESTED = "requested", "Waiting"
    BUILDING = "building", "Building"
    LIVE = "live", "Live"
    REPLACED = "replaced", "Replaced"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class IndexBuild(models.Model):
    """A generation of the index in the making: the request, its progress and its outcome."""

    embedding_model = models.CharField(max_length=200)
    generation = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=BuildState, default=BuildState.REQUESTED)
    total = models.PositiveIntegerField(default=0, help_text="Passages to bring in.")
    done = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)
    claim = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.generation or self.embedding_model} ({self.state})"


class Erasure(models.Model):
    """The receipt of a deletion. It outlives the document, and holds nothing of its content, not even its name."""

    document_id = models.UUIDField(unique=True)
    sha256 = models.JSONField(default=list, help_text="Of every version.")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True, help_text="From then on nobody finds it.")
    purged_at = models.DateTimeField(null=True, blank=True, help_text="Rows, points, files and quotes removed.")
    gone_at = models.DateTimeField(null=True, blank=True, help_text="No byte of it is left in index and database.")
    points = models.PositiveIntegerField(default=0)
    chunks = models.PositiveIntegerField(default=0)
    files = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-requested_at"]

    def __str__(self) -> str:
        return f"erasure of {self.document_id}"


from ingestion.sources.models import Source, SourceItem, SourceRun  # noqa: E402, F401 - Django finds them here
