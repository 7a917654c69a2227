"""Errors of the chat package.

ChatError
├── ConversationNotFoundError   conversation_not_found
├── AnswerNotFoundError         answer_not_found
├── QuestionEmptyError          question_empty
├── QuestionTooLongError        question_too_long
├── TooManyQuestionsError       too_many_questions
├── LimitError                  a question's search cannot be limited so
│   ├── UnknownFormatError      unknown_format
│   ├── UnknownLanguageError    unknown_language
│   ├── UnreadableDateError     unreadable_date
│   └── DatesReversedError      dates_reversed
├── FeedbackReasonError         feedback_reason
├── FeedbackTooLongError        feedback_too_long
├── FeedbackNotFoundError       feedback_not_found
└── AnswerUnfinishedError       answer_unfinished
"""


class ChatError(Exception):
    """Root. `code` is stable and public."""

    code = "internal_error"


class ConversationNotFoundError(ChatError):
    """No such conversation, or another person's."""

    code = "conversation_not_found"


class AnswerNotFoundError(ChatError):
    """No such answer, or another person's."""

    code = "answer_not_found"


class QuestionEmptyError(ChatError):
    """Nothing was asked."""

    code = "question_empty"


class TooManyQuestionsError(ChatError):
    """As many answers are under way as one person may have."""

    code = "too_many_questions"


class QuestionTooLongError(ChatError):
    """More characters than a question may have."""

    code = "question_too_long"


class LimitError(ChatError):
    """A limit of a question's search is malformed or names something unknown."""

    code = "invalid_request"


class UnknownFormatError(LimitError):
    """No document has this type."""

    code = "unknown_format"


class UnknownLanguageError(LimitError):
    """No code of ISO 639-1."""

    code = "unknown_language"


class UnreadableDateError(LimitError):
    """No day and no moment."""

    code = "unreadable_date"


class DatesReversedError(LimitError):
    """The range ends before it begins."""

    code = "dates_reversed"


class FeedbackReasonError(ChatError):
    """A thumb down without a known reason, or a thumb up with one."""

    code = "feedback_reason"


class FeedbackTooLongError(ChatError):
    """More characters than feedback may have."""

    code = "feedback_too_long"


class FeedbackNotFoundError(ChatError):
    """No such feedback."""

    code = "feedback_not_found"


class AnswerUnfinishedError(ChatError):
    """An answer is judged once it is whole."""

    code = "answer_unfinished"
