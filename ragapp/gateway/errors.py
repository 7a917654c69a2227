"""Errors of the gateway; HTTP and provider exceptions are translated into these inside the adapters.

GatewayError
├── ChatModelError
│   ├── ChatModelUnavailableError   model_unavailable: not reachable, still loading, or died while answering
│   ├── ChatModelBusyError          model_busy: it refuses more work for now
│   └── PromptTooLongError          prompt_too_long
├── CheckpointsUnreadableError      checkpoints_unreadable: what shows how far the record went cannot be read
└── EgressError
    ├── NotClearedError             not_cleared: the text may not leave
    └── LedgerUnavailableError      ledger_unavailable: no record, no send
"""


class GatewayError(Exception):
    """Root. `code` is stable and public."""

    code = "gateway_error"


class ChatModelError(GatewayError):
    """The in-perimeter model gave no answer."""

    code = "model_error"


class ChatModelUnavailableError(ChatModelError):
    """Not reachable, still loading, or died while answering."""

    code = "model_unavailable"


class ChatModelBusyError(ChatModelError):
    """The model server refuses more work for now."""

    code = "model_busy"


class PromptTooLongError(ChatModelError):
    """More tokens than the model's context holds."""

    code = "prompt_too_long"


class EgressError(GatewayError):
    """Nothing was sent."""

    code = "egress_error"


class NotClearedError(EgressError):
    """The text may not leave the perimeter."""

    code = "not_cleared"


class LedgerUnavailableError(EgressError):
    """The decision could not be recorded, so nothing may be sent."""

    code = "ledger_unavailable"


class CheckpointsUnreadableError(GatewayError):
    """The file of checkpoints is not what it should be."""

    code = "checkpoints_unreadable"
