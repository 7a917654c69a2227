"""Numbers and addresses of persons, accounts and machines: patterns, told from other digits by their checksums."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Final

import phonenumbers
from stdnum import iban

from ragapp.gateway.base import Signal
from ragapp.gateway.signals.base import Outgoing, by_rules

# Lengths are bounded, here by RFC 5321: a pattern that may run to the end from everywhere holds up the whole process.
_MAIL = re.compile(r"[\w.+%-]{1,64}\s?(?:@|\(at\)|\[at\])\s?[\w-]{1,63}(?:\s?(?:\.|\(dot\)|\[dot\])\s?[\w-]{1,63})")
_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])")
_MACHINE = re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")
_LINK = re.compile(r"\b(?:https?|ftp|file|ssh|s3)://\S+|\bwww\.\S+|\\\\[\w.-]+\\\S+|\b[a-z]:\\\S+")
_HANDLE = re.compile(r"(?<![\w@])@[a-z][\w.]{2,}")
_ACCOUNT = re.compile(r"\b[a-z]{2}\d{2}(?:[ -]?[a-z0-9]{2,4}){3,8}\b")
_DIGITS = re.compile(r"(?<![\w.])\+?\(?\d(?:[ \-./()]{0,2}\d){6,}(?!\w)")
# 'INV-20931', 'AB123456': letters and then a number of four digits or more.
_CODE = re.compile(r"\b[a-z]{1,6}[-/_#]?\d{4,}(?:[-/]\w+)*\b|#\s?\d{4,}\b")
_YEAR = re.compile(r"[a-z]+[-/_]?(?:1[0-9]|20)\d\d$")
_SOCIAL = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
# So many digits in a row are the number of something; sums and years have fewer.
_MOST_DIGITS: Final = 9
# No telephone number of these regions has fewer, and looking for one takes longer than all else.
_MANY_DIGITS = re.compile(r"\d(?:\D{0,4}\d){3}")
# Where a telephone number has no country before it.
_REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "IT", "NL")


class Identifiers:
    """Denies at the first that is found."""

    name = "identifiers"

    def look(self, outgoing: Outgoing) -> Signal:
        """DENY or CLEAN."""
        held = (f"It holds {kind}." for kind in _found(outgoing.plain))
        return by_rules(self.name, held, otherwise="It holds no number or address of anything.")


def _found(text: str) -> Iterator[str]:
    for kind, pattern, is_one in _KINDS:
        if any(is_one(match.group()) for match in pattern.finditer(text)):
            yield kind
    if _MANY_DIGITS.search(text) and any(
        phonenumbers.PhoneNumberMatcher(text, region).has_next() for region in _REGIONS
    ):
        yield "a telephone number"


def _always(_: str) -> bool:
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return ":" in text or text.count(".") == 3


def _is_account(text: str) -> bool:
    """Words may follow it that could be groups of it."""
    groups = re.split(r"[ -]", text)
    return any(iban.is_valid("".join(groups[:count])) for count in range(1, len(groups) + 1))


def _is_number_of_something(text: str) -> bool:
    return len(re.sub(r"\D", "", text)) > _MOST_DIGITS


_KINDS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("an e-mail address", _MAIL, _always),
    ("a link or a path", _LINK, _always),
    ("an address in a network", _ADDRESS, _is_address),
    ("the identifier of a machine", _MACHINE, _always),
    ("a bank account", _ACCOUNT, _is_account),
    ("a social security number", _SOCIAL, _always),
    ("a long number", _DIGITS, _is_number_of_something),
    ("somebody's name in a network", _HANDLE, _always),
    ("a number or code of something", _CODE, lambda text: not _YEAR.match(text)),
)
