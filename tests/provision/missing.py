"""What a test run says when a part is not on this machine."""


class MissingPartError(Exception):
    """A part that tests need is missing; the message says how to get it."""


class ServiceFailedError(Exception):
    """A part is here but did not start; the message carries the end of its log."""
