"""Which language a text is in. The model is loaded at the first question, and gives the same answer every time.

py3langid, of seven libraries that were measured: the most right answers, and a confidence that is to be believed.
"""

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier  # type: ignore[import-untyped]

# Below this half of the answers on passages of 60 characters were wrong; above it 3 in 100.
_LEAST_CONFIDENCE = 0.3
_LEAST_LETTERS = 20
_NO_WORDS = re.compile(r"(?:https?://|www\.)\S{1,500}|\S{1,100}@\S{1,100}|[\d_]|[^\w\s'\u2019-]")
# What the model tells apart and ISO 639-1 has one letter code for.
_AS = {"ary": "ar", "arz": "ar", "nn": "no", "nb": "no", "wuu": "zh", "yue": "zh", "hbo": "he", "grc": "el"}


def language_of(text: str) -> str:
    """The language's ISO 639-1 code, or '' where the text is too short to tell or no language stands out."""
    words = " ".join(_NO_WORDS.sub(" ", text).split())
    if sum(char.isalpha() for char in words) < _LEAST_LETTERS // (1 + _is_dense(words)):
        return ""
    code, confidence = _identifier().classify(words)
    code = _AS.get(code, code)
    return code if confidence >= _LEAST_CONFIDENCE and len(code) == 2 else ""


def _is_dense(words: str) -> bool:
    """Whether a letter is a syllable or a word, as in Chinese, Japanese and Korean."""
    return any("\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" for char in words)


@functools.cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
