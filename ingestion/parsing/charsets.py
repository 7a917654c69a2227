"""Text in the encoding that a page or a message names, as far as the name is to be believed."""

from ingestion.parsing.encoding import decode

# Names that stand for less than what is written under them (WHATWG Encoding).
_MEANT = {
    "iso-8859-1": "cp1252", "iso8859-1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252", "latin-1": "cp1252",
    "latin1": "cp1252", "iso-8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "shift_jis": "cp932", "shift-jis": "cp932", "x-sjis": "cp932",
    "windows-31j": "cp932", "tis-620": "cp874", "iso-8859-11": "cp874",
}  # fmt: skip
# ASCII to look at, and so UTF-8 as well: here the name is all there is.
_SEVEN_BIT = ("iso-2022", "hz")


def decode_as(data: bytes, *, charset: str | None) -> str:
    """The text by byte-order mark, UTF-8, the charset that is named or detection, in this order; never fails on text.

    Raises DamagedDocumentError for a byte-order mark that the rest contradicts.
    """
    name = (charset or "").strip("\"' ").lower()
    if name.startswith(_SEVEN_BIT):
        try:
            return data.decode(name, errors="replace")
        except LookupError:
            pass
    return decode(data, declared=_MEANT.get(name, name) or None)
