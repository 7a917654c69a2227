"""Numbers from addresses and forms, where anything may stand."""

# No version, page or width is larger, and every database's integers hold it.
_LARGEST = 2**31 - 1


def whole_number(given: str | None) -> int | None:
    """The number that the text is; None for anything else."""
    if not given or not given.isascii() or not given.isdigit() or len(given) > len(str(_LARGEST)):
        return None
    return min(int(given), _LARGEST)
