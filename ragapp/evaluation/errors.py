"""What can be wrong with an evaluation.

EvaluationError                     evaluation_error
├── InvalidQuestionSetError         invalid_question_set
├── NothingToMeasureError           nothing_to_measure
├── UnknownRunError                 unknown_evaluation_run
├── RunInterruptedError             evaluation_interrupted
├── RunOpenError                    evaluation_run_open
├── NotAnAdminError                 not_allowed
├── SetNameError                    evaluation_set_name
├── CaseNotFoundError               evaluation_case_not_found
└── CaseRefusedError                evaluation_case_refused
"""

from typing import ClassVar


class EvaluationError(Exception):
    """The root; `code` is stable."""

    code: ClassVar[str] = "evaluation_error"


class InvalidQuestionSetError(EvaluationError):
    """The folder is no question set; the message names the file and the line."""

    code = "invalid_question_set"


class NothingToMeasureError(EvaluationError):
    """The set's questions lack what is measured; the message says what."""

    code = "nothing_to_measure"


class UnknownRunError(EvaluationError):
    """No run of that number is stored."""

    code = "unknown_evaluation_run"


class RunInterruptedError(EvaluationError):
    """The process that made the run is gone."""

    code = "evaluation_interrupted"


class RunOpenError(EvaluationError):
    """A run over this set that the person asked for is not over."""

    code = "evaluation_run_open"


class NotAnAdminError(EvaluationError):
    """Who asked for the run is no admin, or is none any more."""

    code = "not_allowed"


class SetNameError(EvaluationError):
    """A set needs a name of at most 200 characters."""

    code = "evaluation_set_name"


class CaseNotFoundError(EvaluationError):
    """There is no such case, or it is hidden."""

    code = "evaluation_case_not_found"


class CaseRefusedError(EvaluationError):
    """The answer is not finished, or rests on what this reader may not read, or on what was deleted."""

    code = "evaluation_case_refused"
