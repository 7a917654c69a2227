"""What can be wrong with an evaluation.

EvaluationError
├── InvalidQuestionSetError
└── UnknownRunError
"""

from typing import ClassVar


class EvaluationError(Exception):
    """The root; `code` is stable."""

    code: ClassVar[str] = "evaluation_error"


class InvalidQuestionSetError(EvaluationError):
    """The folder is no question set; the message names the file and the line."""

    code = "invalid_question_set"


class UnknownRunError(EvaluationError):
    """No run of that number is stored."""

    code = "unknown_evaluation_run"
