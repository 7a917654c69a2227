"""Errors of the chat package.

ChatError
├── ConversationNotFoundError   conversation_not_found
├── AnswerNotFoundError         answer_not_found
├── QuestionEmptyError          question_empty
├── QuestionTooLongError        question_too_long
└── TooManyQuestionsError       too_many_questions
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
