"""Where sentences end. Joined, the pieces are the text again."""

import re

# A single line break inside a paragraph ends nothing: source files are wrapped. One before a list item, a table row or
# a heading does.
_SENTENCE_END = re.compile(
    r"(?<=[.!?:؟])\s+(?=[^\Wa-zß-öø-ÿа-яё_]|[\"'(*-])|\n{2,}|\n(?=[^\S\n]*(?:[-*|#>]|\d+[.)]\s))"
)


def sentences_of(text: str) -> list[tuple[str, str]]:
    """The sentences with the white space that follows each."""
    result, start = [], 0
    for end in _SENTENCE_END.finditer(text):
        result.append((text[start : end.start()], end.group()))
        start = end.end()
    result.append((text[start:], ""))
    return [(sentence, gap) for sentence, gap in result if sentence or gap]
