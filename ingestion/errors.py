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
│   └── ParserCrashedError          parser_crashed
├── UploadError                     the upload is refused before it is accepted
│   ├── UploadTooLargeError         upload_too_large
│   └── InvalidNameError            invalid_name
├── EmbedderUnavailableError        embedder_unavailable
├── IndexUnavailableError           index_unavailable
│   └── IndexInUseError             index_in_use
├── IndexMismatchError              index_mismatch
├── CollectionExistsError           collection_exists
├── CollectionNotEmptyError         collection_not_empty
├── CollectionNotFoundError         collection_not_found
├── DocumentNotFoundError           document_not_found
├── DocumentStateError              document_state
└── IngestionInterruptedError       ingestion_interrupted
"""


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


class DocumentStateError(IngestionError):
    """The document's state does not allow what was asked."""

    code = "document_state"


class IngestionInterruptedError(IngestionError):
    """Workers died on this document as often as is tried."""

    code = "ingestion_interrupted"
