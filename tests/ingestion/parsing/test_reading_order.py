"""Words that are only places on a page are read column by column, and tables row by row."""

from ingestion.parsing.places import Word
from ingestion.parsing.reading_order import ordered_lines


def _word(text: str, left: float, top: float, *, width: float = 0.0, height: float = 10.0) -> Word:
    return Word(text, left, top - height, left + (width or 5.0 * len(text)), top)


def _texts(words: list[Word]) -> list[str]:
    return [line.text for line in ordered_lines(words)]


def test_two_columns_are_read_one_after_the_other() -> None:
    left = [_word(f"left {number} and some words", 50, 700 - 14 * number) for number in range(4)]
    right = [_word(f"right {number} and some words", 300, 700 - 14 * number) for number in range(4)]
    mixed = [word for pair in zip(right, left, strict=True) for word in pair]
    assert _texts(mixed) == [word.text for word in (*left, *right)]


def test_a_heading_across_both_columns_comes_first() -> None:
    heading = _word("A heading that runs across both of the columns below it", 50, 760, width=500)
    left = [_word("left words", 50, 700 - 14 * number) for number in range(4)]
    right = [_word("right words", 300, 700 - 14 * number) for number in range(4)]
    assert _texts([*right, *left, heading])[0] == heading.text
    assert _texts([*right, *left, heading])[1] == "left words"


def test_words_side_by_side_are_one_line() -> None:
    assert _texts([_word("days", 100, 700), _word("thirty", 50, 699), _word("after", 50, 680)]) == [
        "thirty days",
        "after",
    ]


def test_a_table_is_read_row_by_row() -> None:
    rows = [("Year", "Sales", "Cost"), ("2021", "4,711", "815"), ("2022", "5,000", "900"), ("2023", "5,100", "950")]
    words = [
        _word(text, 50 + 150 * column, 700 - 16 * number)
        for number, row in enumerate(rows)
        for column, text in enumerate(row)
    ]
    assert _texts(words) == [" ".join(row) for row in rows]


def test_upright_lines_are_read_from_the_right() -> None:
    words = [
        _word(text, left, 700, width=20, height=200)
        for text, left in (("三行目", 50), ("一行目", 150), ("二行目", 100))
    ]
    assert _texts(words) == ["一行目二行目三行目"]


def test_columns_of_hebrew_are_read_from_the_right() -> None:
    right = [_word("שלום עולם טוב", 300, 700 - 14 * number) for number in range(4)]
    left = [_word("אחר כך קוראים", 50, 700 - 14 * number) for number in range(4)]
    assert _texts([*left, *right])[0] == right[0].text


def test_no_words_are_no_lines() -> None:
    assert ordered_lines([]) == []
