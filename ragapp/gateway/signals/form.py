"""Deixis and form: words that point at what only the asker has, and text that cannot be read for sure."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from ragapp.gateway.base import Signal
from ragapp.gateway.signals.base import Outgoing, by_rules

MOST_CHARACTERS: Final = 1_500
# No word of a language is as long; a key, or text that was encoded, is.
_MOST_UNBROKEN: Final = 40
# Hidden in plain sight: letters one by one, dots and dashes, escapes, bytes in base 16 or 64.
_ENCODED = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?=[A-Za-z0-9+/_-]*[A-Z])(?=[A-Za-z0-9+/_-]*[a-z])(?=[A-Za-z0-9+/_-]*\d)[A-Za-z0-9+/_-]{20,}={0,2}"
    r"|\b(?:[0-9a-fA-F]{2}[\s:,]?){12,}"
    r"|(?:%[0-9a-fA-F]{2}){4,}|(?:\\[ux][0-9a-fA-F]{2,4}){3,}|(?:&#x?[0-9a-fA-F]{2,6};){3,}"
    r"|\b(?:[01]{7,8}\s?){4,}"
    r"|(?:[.\-\u2022\u2013\u2014_]{1,6}[ /|]+){8,}"
    r"|(?:(?<!\w)\w[ .\-_*|]){8,}"
)
_OWN = re.compile(
    r"\b(?:our|ours|ourselves|we|we're|we've|we'll|we'd|my|mine|myself|"
    r"unser\w*|wir|uns|mein\w*|notre|nos|nous|mon|ma|mes|nuestr\w+|nosotr\w+|mis?|nostr\w+|noi|mi[oa]|"
    r"onze|wij|mijn|noss[ao]s?|meus?|minhas?)\b"
)
# The pronoun, and not the country.
_US = re.compile(r"\bus\b")
_POINTED_AT = re.compile(
    r"\b(?:this|these|those|said|attached|enclosed|above|following|below|dies\w*|ces?|cette|est[eao]s?|quest[oaie]|"
    r"deze)\s+(?:\w+\s+){0,2}?"
    r"(?:contract|agreement|document|file|e-?mail|mail|message|letter|report|invoice|offer|quote|customer|client|"
    r"employee|colleague|candidate|patient|supplier|vendor|project|account|ticket|case|meeting|spreadsheet|"
    r"presentation|slide|policy|draft|memo|note|transcript|log|repo|repository|database|dataset|attachment|"
    r"clause|vertrag|dokument|datei|kund|projekt|rechnung|contrat|projet|facture|cliente?|proyecto|factura)\w*\b"
)
_PEOPLE_AND_PLACES_OF_WORK = re.compile(
    r"\bthe\s+(?:customer|client|company|employer|boss|ceo|cfo|cto|coo|board|team|department|office|colleague|"
    r"co-?worker|manager|intranet|staff|handbook|branch|subsidiary|plant|warehouse)\b"
    r"|\b(?:at|in|within|for|across|by)\s+(?:the\s+)?(?:company|firm|office|department|team)\b"
)
_CONFIDENTIAL = re.compile(
    r"\b(?:confidential|internal(?:\s+use)?(?:\s+only)?|do not (?:share|distribute|forward|disclose)|"
    r"not for distribution|proprietary|trade secrets?|under nda|embargo(?:ed)?|privileged|strictly private|"
    r"off the record|unreleased|unannounced|vertraulich\w*|geheim\w*|confidentiel\w*|confidencial\w*|riservat\w*|"
    r"vertrouwelijk\w*)\b"
)

_Rule = tuple[str, Callable[[Outgoing], bool]]


class Form:
    """Denies at the first rule that holds. The evidence names the rule and repeats no word."""

    name = "form"

    def look(self, outgoing: Outgoing) -> Signal:
        """DENY or CLEAN."""
        held = (evidence for evidence, holds in _RULES if holds(outgoing))
        return by_rules(self.name, held, otherwise="It points at nothing of yours, and is plain.")


def _is_empty(outgoing: Outgoing) -> bool:
    return not outgoing.words


def _is_long(outgoing: Outgoing) -> bool:
    return len(outgoing.text) > MOST_CHARACTERS


def _is_encoded(outgoing: Outgoing) -> bool:
    text = outgoing.visible
    return bool(_ENCODED.search(text)) or any(len(part) > _MOST_UNBROKEN for part in text.split())


def _hides(outgoing: Outgoing) -> bool:
    """Characters that show nothing, that turn the direction of writing, or that stand for no character."""
    return outgoing.visible != outgoing.text or any(
        unicodedata.category(c) in {"Co", "Cn", "Cs"} or c == "\ufffd" for c in outgoing.text
    )


def _mixes_scripts(outgoing: Outgoing) -> bool:
    """Two scripts within one word."""
    return any(len({_script(c) for c in word} - {""}) > 1 for word in outgoing.visible.split())


def _script(char: str) -> str:
    if not char.isalpha():
        return ""
    name = "LATIN" if char.isascii() else unicodedata.name(char, "?").split()[0]
    # Japanese is written in three at once.
    return "CJK" if name in {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"} else name


def _is_own(outgoing: Outgoing) -> bool:
    return bool(_OWN.search(outgoing.plain) or _US.search(outgoing.visible))


def _says(pattern: re.Pattern[str]) -> Callable[[Outgoing], bool]:
    return lambda outgoing: bool(pattern.search(outgoing.plain))


_RULES: tuple[_Rule, ...] = (
    ("It says nothing.", _is_empty),
    (f"It is longer than {MOST_CHARACTERS} characters.", _is_long),
    ("It hides characters that cannot be seen.", _hides),
    ("It mixes scripts within a word.", _mixes_scripts),
    ("It holds something encoded.", _is_encoded),
    ("It says that it is not to be passed on.", _says(_CONFIDENTIAL)),
    ("It speaks of what is yours.", _is_own),
    ("It points at something that you have before you.", _says(_POINTED_AT)),
    ("It speaks of people or places of work.", _says(_PEOPLE_AND_PLACES_OF_WORK)),
)
