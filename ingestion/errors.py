"""Errors of the ingestion package; third-party exceptions are translated into these inside the adapters.

IngestionError
├── ParseError                      the document cannot be turned into text; retrying alone will not help
│   ├── EmptyDocumentError          empty_document
│   ├── UnsupportedTypeError        unsupported_type
│   ├── EncryptedDocumentError      encrypted_document
│   ├── DamagedDocumentError        damaged_document
│   ├── NoTextError                 no_text
│   ├── TooMuchTextError            too_much_text
│   ├── ParseTimeoutError           parse_timeout
│   ├── ParseMemoryError            parse_memory
│   ├── ArchiveLimitError           archive_limit
│   └── ParserCrashedError          parser_crashed
├── UploadError                     the upload is refused before it is accepted
│   ├── UploadTooLargeError         upload_too_large
│   ├── InvalidNameError            invalid_name
│   ├── StorageFullError            storage_full
│   └── QueueFullError              queue_full
├── EmbedderUnavailableError        embedder_unavailable
├── IndexUnavailableError           index_unavailable
│   └── IndexInUseError             index_in_use
├── IndexMismatchError              index_mismatch
├── CollectionExistsError           collection_exists
├── CollectionNotEmptyError         collection_not_empty
├── CollectionNotFoundError         collection_not_found
├── DocumentNotFoundError           document_not_found
├── DocumentExistsError             document_exists
├── DocumentStateError              document_state
├── PageNotFoundError               page_not_found
├── PagesBusyError                  pages_busy
├── VersionNotFoundError            version_not_found
├── SourceError                     source_error; a source of documents cannot be run
│   ├── SourceSettingsError         source_settings; `field` is the setting
│   │   ├── SourceFolderError       source_folder
│   │   ├── SourceEndpointError     source_endpoint
│   │   └── UrlRefusedError         url_refused
│   ├── SourceOffError              source_off
│   ├── SourceSecretError           source_secret
│   ├── SourceUnreachableError      source_unreachable
│   ├── SourceDeniedError           source_denied
│   ├── SourceMissingError          source_missing
│   ├── SourceListingError          source_listing
│   ├── SourceTooLargeError         source_too_large
│   ├── SourceItemGoneError         source_item_gone
│   └── SourceItemBusyError         source_item_busy
├── SourceExistsError               source_exists
├── SourceNotFoundError             source_not_found
├── SourceStateError                source_state
└── IngestionInterruptedError       ingestion_interrupted
"""

import errno

# Of an OSError that tells of a full disk.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class IngestionError(Exception):
    """Root. `code` is stable and public; the message is for the log, never for the person."""

    code = "ingestion_error"


class ParseError(IngestionError):
    """The document cannot be turned into text."""

    code = "parse_error"


class EmptyDocumentError(ParseError):
    """The file has no bytes."""

    code = "empty_document"


class UnsupportedTypeError(ParseError):
    """The content is of no type that a parser takes, or is not what its name says."""

    code = "unsupported_type"


class EncryptedDocumentError(ParseError):
    """The file needs a password."""

    code = "encrypted_document"


class DamagedDocumentError(ParseError):
    """The file is broken or is not what its name says."""

    code = "damaged_document"


class NoTextError(ParseError):
    """The file was read, and no text was found in it."""

    code = "no_text"


class TooMuchTextError(ParseError):
    """The text is larger than one document may be."""

    code = "too_much_text"


class ParseTimeoutError(ParseError):
    """Parsing took longer than the limit, and was ended."""

    code = "parse_timeout"


class ParseMemoryError(ParseError):
    """Parsing needed more memory than the limit, and was ended."""

    code = "parse_memory"


class ArchiveLimitError(ParseError):
    """An archive has too many entries, unpacks to too much, is packed too densely or nested too deeply."""

    code = "archive_limit"


class ParserCrashedError(ParseError):
    """The parsing process died without an answer."""

    code = "parser_crashed"


class UploadError(IngestionError):
    """The upload is refused before it is accepted."""

    code = "upload_error"


class UploadTooLargeError(UploadError):
    """More bytes than one upload may have."""

    code = "upload_too_large"


class InvalidNameError(UploadError):
    """The name is empty once control characters and folders are taken out."""

    code = "invalid_name"


class StorageFullError(UploadError):
    """No room is left on the disk for the file."""

    code = "storage_full"


class QueueFullError(UploadError):
    """So many documents wait that no more are taken for now."""

    code = "queue_full"


class EmbedderUnavailableError(IngestionError):
    """The embedding model cannot be loaded or reached."""

    code = "embedder_unavailable"


class IndexUnavailableError(IngestionError):
    """The vector index cannot be opened or reached."""

    code = "index_unavailable"


class IndexInUseError(IndexUnavailableError):
    """Another process owns the embedded index."""

    code = "index_in_use"


class IndexMismatchError(IngestionError):
    """The index was built with another embedding model, dimension or schema."""

    code = "index_mismatch"


class CollectionExistsError(IngestionError):
    """A collection of this name exists."""

    code = "collection_exists"


class CollectionNotEmptyError(IngestionError):
    """Documents are in the collection, or are being purged from it."""

    code = "collection_not_empty"


class CollectionNotFoundError(IngestionError):
    """No such collection, or none that the asker may see."""

    code = "collection_not_found"


class DocumentNotFoundError(IngestionError):
    """No such document, or none that the asker may see."""

    code = "document_not_found"


class DocumentExistsError(IngestionError):
    """The collection holds the same bytes already."""

    code = "document_exists"


class DocumentStateError(IngestionError):
    """The document's state does not allow what was asked."""

    code = "document_state"


class PageNotFoundError(IngestionError):
    """The document has no such page, or none that can be drawn."""

    code = "page_not_found"


class PagesBusyError(IngestionError):
    """As many pages are being drawn as may be at once."""

    code = "pages_busy"


class VersionNotFoundError(IngestionError):
    """The document has no such version."""

    code = "version_not_found"


class IngestionInterruptedError(IngestionError):
    """Workers died on this document as often as is tried."""

    code = "ingestion_interrupted"


class SourceError(IngestionError):
    """A source of documents cannot be run, or an item of it cannot be taken."""

    code = "source_error"


class SourceSettingsError(SourceError):
    """A setting of a source is not possible here; `field` names it where it is one of a form."""

    code = "source_settings"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class SourceFolderError(SourceSettingsError):
    """The folder is under none that this installation may read."""

    code = "source_folder"


class SourceEndpointError(SourceSettingsError):
    """The server is none of the storage servers of this installation."""

    code = "source_endpoint"


class UrlRefusedError(SourceSettingsError):
    """A web address, or where it leads, may not be fetched."""

    code = "url_refused"


class SourceOffError(SourceError):
    """This kind of source is switched off, or there is none of its name."""

    code = "source_off"


class SourceSecretError(SourceError):
    """Its keys were encrypted under another secret key."""

    code = "source_secret"


class SourceUnreachableError(SourceError):
    """Its server does not answer, or not in time."""

    code = "source_unreachable"


class SourceDeniedError(SourceError):
    """Its server, or the file system, does not let this installation read it."""

    code = "source_denied"


class SourceMissingError(SourceError):
    """The folder or bucket is not there."""

    code = "source_missing"


class SourceListingError(SourceError):
    """What it holds could not be listed whole."""

    code = "source_listing"


class SourceTooLargeError(SourceError):
    """It holds more items than one source may."""

    code = "source_too_large"


class SourceItemGoneError(SourceError):
    """The item was listed, and is not there any more."""

    code = "source_item_gone"


class SourceItemBusyError(SourceError):
    """The item changed while it was read."""

    code = "source_item_busy"


class SourceExistsError(IngestionError):
    """A source of this name exists."""

    code = "source_exists"


class SourceNotFoundError(IngestionError):
    """No such source."""

    code = "source_not_found"


class SourceStateError(IngestionError):
    """The source's state does not allow what was asked."""

    code = "source_state"
