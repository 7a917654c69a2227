"""The one table from an error's code to its HTTP status, its sentence for a person and whether to try again."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ErrorEntry:
    """How an error is told. `retryable`: the same request may succeed later, unchanged."""

    code: str
    status: int
    sentence: str
    retryable: bool = False


_ENTRIES = (
    ErrorEntry("empty_document", 422, "The file is empty. Check the original and upload it again."),
    ErrorEntry(
        "unsupported_type",
        415,
        "This type of file cannot be read. Upload PDF, Office, OpenDocument, e-mail, web, text or image files, or a ZIP.",  # noqa: E501
    ),
    ErrorEntry(
        "encrypted_document",
        422,
        "The file is protected by a password. Remove the protection and upload it again.",
    ),
    ErrorEntry(
        "damaged_document",
        422,
        "The file is damaged or is not what its name says. Open it on your computer, save it anew and upload that.",
    ),
    ErrorEntry(
        "no_text",
        422,
        "No text was found in the file or its pictures. If it is a scan, try another setting for text recognition.",
    ),
    ErrorEntry("too_much_text", 422, "The file holds more text than one document may have. Split it into parts."),
    ErrorEntry(
        "parse_timeout",
        422,
        "Reading the file took too long and was stopped. Split it into smaller files.",
        True,
    ),
    ErrorEntry("parse_memory", 422, "Reading the file needed too much memory. Split it into smaller files.", True),
    ErrorEntry(
        "parser_crashed",
        422,
        "The file broke the reader. Save it anew from its program and upload that.",
        True,
    ),
    ErrorEntry(
        "archive_limit",
        422,
        "The file unpacks to more than is accepted, or is nested too deeply. Unpack it and upload what is in it.",
    ),
    ErrorEntry("parse_error", 422, "The file cannot be read. Save it anew from its program and upload that."),
    ErrorEntry("upload_too_large", 413, "The file is larger than this installation accepts."),
    ErrorEntry("invalid_name", 422, "The file has no usable name. Rename it and upload it again."),
    ErrorEntry("storage_full", 507, "The server's disk is full. Tell an admin, and upload it again later.", True),
    ErrorEntry("queue_full", 503, "Too many documents are waiting to be read. Upload it again later.", True),
    ErrorEntry("upload_error", 422, "The upload was refused."),
    ErrorEntry(
        "ingestion_interrupted",
        500,
        "Reading was interrupted several times. Try again, or ask an admin.",
        True,
    ),
    ErrorEntry("ingestion_error", 500, "Reading the file failed for a reason that is in the server's log.", True),
    ErrorEntry("embedder_unavailable", 503, "The embedding model is not available. Try again in a minute.", True),
    ErrorEntry("index_unavailable", 503, "The search index is not available. Try again in a minute.", True),
    ErrorEntry("index_in_use", 503, "Another process holds the search index.", True),
    ErrorEntry(
        "index_mismatch",
        503,
        "The search index was built with another embedding model. An admin must rebuild it or restore the setting.",
    ),
    ErrorEntry("collection_exists", 409, "A collection of this name exists already."),
    ErrorEntry("collection_not_empty", 409, "Documents are in this collection. Delete them first.", True),
    ErrorEntry("collection_not_found", 404, "There is no such collection."),
    ErrorEntry("document_not_found", 404, "There is no such document."),
    ErrorEntry("document_exists", 409, "That collection holds the same file already."),
    ErrorEntry("document_state", 409, "The document's state does not allow this now.", True),
    ErrorEntry("page_not_found", 404, "The document has no such page, or its pages cannot be drawn."),
    ErrorEntry("pages_busy", 503, "Many pages are being drawn right now. Try again in a moment.", True),
    ErrorEntry("version_not_found", 404, "The document has no such version."),
    ErrorEntry("source_error", 500, "The source could not be read for a reason that is in the server's log.", True),
    ErrorEntry("source_settings", 422, "This setting is not possible here."),
    ErrorEntry(
        "source_folder",
        422,
        "This folder is in none that the installation may read. Whoever runs the server lists those in "
        "RAGAPP_SOURCE_ROOTS.",
    ),
    ErrorEntry(
        "source_endpoint",
        422,
        "This server is none of the storage servers of the installation. Whoever runs it lists those in "
        "RAGAPP_SOURCE_S3_ENDPOINTS.",
    ),
    ErrorEntry(
        "url_refused",
        422,
        "This address may not be fetched. Type a public http or https address, or one that the installation allows.",
    ),
    ErrorEntry("source_off", 403, "This kind of source is switched off on this installation."),
    ErrorEntry(
        "source_secret", 500, "The keys of the source can no longer be read. Change the source and type them anew."
    ),
    ErrorEntry(
        "source_unreachable", 502, "The source's server does not answer. It is tried again at the next run.", True
    ),
    ErrorEntry(
        "source_denied", 502, "The source does not let this installation read it. Check its rights or keys.", True
    ),
    ErrorEntry("source_missing", 502, "The folder or bucket is not there. Nothing was removed.", True),
    ErrorEntry("source_listing", 502, "What the source holds could not be listed whole. Nothing was removed.", True),
    ErrorEntry("source_too_large", 422, "The source holds more than one may have. Split it into several."),
    ErrorEntry("source_item_gone", 404, "The source lists this item, and does not have it any more.", True),
    ErrorEntry("source_item_busy", 409, "The item was being changed. It is taken at the next run.", True),
    ErrorEntry("source_exists", 409, "A source of this name exists already."),
    ErrorEntry("source_not_found", 404, "There is no such source."),
    ErrorEntry("source_state", 409, "The source's state does not allow this now. Load the page anew.", True),
    ErrorEntry("evaluation_error", 422, "The question set cannot be measured so. The message says why."),
    ErrorEntry("invalid_question_set", 422, "The folder is no question set. The message names the file and the line."),
    ErrorEntry("unknown_evaluation_run", 404, "There is no such evaluation run."),
    ErrorEntry("nothing_to_measure", 422, "No question of this set has a document that is to be found."),
    ErrorEntry("evaluation_interrupted", 500, "The run was interrupted. Start it again.", True),
    ErrorEntry("evaluation_run_open", 409, "Your run over this set is not over yet. Wait for it, or delete it."),
    ErrorEntry("evaluation_set_name", 422, "Give the set a name of at most 200 characters."),
    ErrorEntry("evaluation_case_not_found", 404, "There is no such case."),
    ErrorEntry(
        "evaluation_case_refused",
        409,
        "Only a finished answer whose documents are all there, and readable for you, becomes a case.",
    ),
    ErrorEntry("person_exists", 409, "This user name is taken."),
    ErrorEntry("invalid_username", 422, "A user name has letters, digits and @ . + - _ only, at most 150."),
    ErrorEntry("last_admin", 409, "This is the last active admin. Make another person an admin first."),
    ErrorEntry("conversation_not_found", 404, "There is no such conversation."),
    ErrorEntry("answer_not_found", 404, "There is no such answer."),
    ErrorEntry("not_found", 404, "There is nothing here."),
    ErrorEntry("method_not_allowed", 405, "This address does not take that method."),
    ErrorEntry("request_too_large", 413, "The request is larger than this address takes."),
    ErrorEntry("not_signed_in", 401, "Sign in, or send a valid API key."),
    ErrorEntry("not_allowed", 403, "Your account may not do this."),
    ErrorEntry("invalid_request", 422, "The request is not of the expected form."),
    ErrorEntry("question_empty", 422, "Type a question first."),
    ErrorEntry("too_many_questions", 429, "Other answers of yours are still being written. Wait for one.", True),
    ErrorEntry("question_too_long", 422, "The question is too long. Shorten it to 4,000 characters."),
    ErrorEntry(
        "unknown_format", 422, "No document can be of this type. Choose PDF, Word, E-mail or another that is read."
    ),
    ErrorEntry("unknown_language", 422, "There is no such language. Use a code of two letters, like en or de."),
    ErrorEntry("unreadable_date", 422, "This is no date. Write it like 2024-05-01."),
    ErrorEntry("dates_reversed", 422, "The range of dates ends before it begins. Change one of the two."),
    ErrorEntry("feedback_reason", 422, "Say what is wrong with the answer. A good answer takes no reason."),
    ErrorEntry("feedback_too_long", 422, "This is too long. Shorten it to 1,000 characters."),
    ErrorEntry("feedback_not_found", 404, "There is no such feedback."),
    ErrorEntry("answer_unfinished", 409, "Only a finished answer whose words are there can be judged.", True),
    ErrorEntry("model_unavailable", 503, "The language model is not ready. Try again in a moment.", True),
    ErrorEntry("model_busy", 503, "The language model is busy. Try again in a moment.", True),
    ErrorEntry("model_error", 502, "The language model could not answer.", True),
    ErrorEntry("prompt_too_long", 422, "The question and its passages are too long for the model."),
    ErrorEntry("answer_interrupted", 500, "The answer was interrupted. Ask again.", True),
    ErrorEntry("not_cleared", 403, "The question may not leave the company, so it was not sent."),
    ErrorEntry("ledger_unavailable", 503, "The decision could not be recorded, so nothing was done.", True),
    ErrorEntry("checkpoints_unreadable", 500, "The file of checkpoints is not what it should be."),
    ErrorEntry("gateway_error", 502, "The answer could not be made.", True),
    ErrorEntry("egress_error", 502, "Nothing was sent outside."),
    ErrorEntry("weights_unavailable", 503, "The model's weights could not be fetched.", True),
    ErrorEntry("weights_corrupt", 500, "The model's weights are not the expected ones."),
    ErrorEntry("data_folder_in_use", 409, "Another process works on this data folder."),
    ErrorEntry("configuration", 500, "The configuration is impossible; the log says what to change."),
    ErrorEntry("internal_error", 500, "Something went wrong. The server's log has the details.", True),
)

ERRORS: dict[str, ErrorEntry] = {entry.code: entry for entry in _ENTRIES}


def error_body(entry: ErrorEntry) -> dict[str, dict[str, Any]]:
    """An entry as the API tells it."""
    return {"error": {"code": entry.code, "message": entry.sentence, "retryable": entry.retryable}}


def entry_for(code: str) -> ErrorEntry:
    """The entry of a code; an unknown code is an internal error."""
    return ERRORS.get(code) or ERRORS["internal_error"]
