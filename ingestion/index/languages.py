"""The languages whose stop words and stems BM25 knows. Loads no engine: the configuration is checked against it."""

ENGLISH = "english"
# For corpora of several languages: words as they are, in lower case.
NO_LANGUAGE = "none"
LANGUAGES = (
    "arabic",
    "azerbaijani",
    "basque",
    "bengali",
    "catalan",
    "chinese",
    "danish",
    "dutch",
    ENGLISH,
    "finnish",
    "french",
    "german",
    "greek",
    "hebrew",
    "hinglish",
    "hungarian",
    "indonesian",
    "italian",
    "japanese",
    "kazakh",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "slovene",
    "spanish",
    "swedish",
    "tajik",
    "turkish",
    NO_LANGUAGE,
)
