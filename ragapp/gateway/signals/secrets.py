"""Keys, tokens and passwords: the rules of a secret scanner, and forms that its rules leave to the eye."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

import betterleaks

from ragapp.gateway.base import Signal
from ragapp.gateway.signals.base import Outgoing, by_rules

# The library looks at what surrounds a key and how random it is, to spare a repository false alarms. Here one is cheap.
_KNOWN = re.compile(
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bxox[abeoprs]-[\w-]{10,}|\b[rs]k_(?:live|test)_\w{10,}|\bsk-[\w-]{16,}|\bAIza[\w-]{20,}|\bhf_[A-Za-z0-9]{20,}"
    r"|\beyJ[\w-]{8,400}\.[\w-]{8}|\bSG\.[\w-]{16,64}\.|\bnpm_\w{20,}|\bpypi-[\w-]{16,}"
    r"|-----BEGIN [A-Z ]*(?:PRIVATE KEY|CERTIFICATE)|\bssh-(?:rsa|ed25519|dss) \S{16,}"
    r"|\$(?:1|2[abxy]|5|6|y|argon2\w*)\$\S{8,}|\b[a-z][a-z+]{0,20}://[^\s/:@]{1,100}:[^\s/@]{1,100}@"
)
_GIVEN: Final = re.compile(
    r"\b(?:pass(?:word|wd|phrase|code|wort)?|pwd|pin|secret|token|api[\s_-]?key|access[\s_-]?key|credentials?|"
    r"kennwort|mot de passe|contraseña|\w{1,40}_(?:key|token|secret|password|pass|pwd))\b"
    r"\s*(?:[:=]+>?|\bis\b(?!\s+(?:a|an|the|not|it|that|this|used|required|called|known|stored|sent|valid|to)\b))"
    r"\s*[\"']?(?P<given>[^\s\"',;?]{4,})",
    re.IGNORECASE,
)


class Secrets:
    """Denies at the first that is found."""

    name = "secrets"

    def look(self, outgoing: Outgoing) -> Signal:
        """DENY or CLEAN. A scanner that fails raises, which is UNKNOWN."""
        return by_rules(self.name, _found(outgoing), otherwise="It holds no key, token or password.")


def _found(outgoing: Outgoing) -> Iterator[str]:
    # What is invisible may part a key, or be by what the scanner finds it; letters may be wide.
    wide = unicodedata.normalize("NFKC", outgoing.visible)
    for text in dict.fromkeys((outgoing.visible, outgoing.text, wide)):
        if betterleaks.scan_string(text):
            yield "It holds a key or token."
        if _KNOWN.search(text):
            yield "It holds what keys and tokens look like."
        if any(_is_given(match["given"]) for match in _GIVEN.finditer(text)):
            yield "It gives a password or key."


def _is_given(value: str) -> bool:
    """A value, and not the next word of a sentence: it holds a digit or a sign, or capitals within."""
    return bool(re.search(r"[\d!$%&*+=@^~#_]|[a-z][A-Z]", value))
