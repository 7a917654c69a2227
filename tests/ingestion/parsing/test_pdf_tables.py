"""Tables are found by their rules or by their columns, and prose is left alone."""

from collections.abc import Sequence

from ingestion.parsing.pdf_tables import continued, tables
from ingestion.parsing.places import Box, Rule, Word
from ingestion.parsing.table_rows import Table

CHAR = 5.0


def _words(text: str, *, left: float, top: float, size: float = 10.0) -> list[Word]:
    words, x = [], left
    for part in text.split():
        words.append(Word(part, x, top - size, x + CHAR * len(part), top))
        x += CHAR * (len(part) + 0.6)
    return words


def _rows(
    rows: Sequence[Sequence[str]], *, lefts: Sequence[float], top: float = 700.0, step: float = 16.0
) -> list[Word]:
    return [
        word
        for number, row in enumerate(rows)
        for text, left in zip(row, lefts, strict=True)
        for word in _words(text, left=left, top=top - number * step)
    ]


def _grid(xs: Sequence[float], ys: Sequence[float]) -> list[Rule]:
    across = [Rule(True, y, xs[0], xs[-1]) for y in ys]
    return across + [Rule(False, x, ys[-1], ys[0]) for x in xs]


def _prose(*, left: float, chars: int, lines: int, top: float = 700.0) -> list[Word]:
    text = "the quick brown fox jumps over the lazy dog and then it runs away from all the others in the wood"
    return [
        word
        for number in range(lines)
        for word in _words(text[number % 5 : number % 5 + chars], left=left, top=top - number * 12)
    ]


def test_a_grid_of_rules_is_a_table_with_its_first_row_as_head() -> None:
    words = _rows([("Plan", "Cost"), ("Standard", "$45.00"), ("Plus", "$55.00")], lefts=(60, 210))
    (table,) = tables(words, _grid((50, 200, 350), (704, 688, 672, 656)))
    assert table.header == ("Plan", "Cost")
    assert table.rows == (("Standard", "$45.00"), ("Plus", "$55.00"))


def test_a_cell_of_several_lines_is_one_cell() -> None:
    words = _words("Plan", left=60, top=700) + _words("Cost", left=210, top=700)
    words += _words("Standard, which", left=60, top=680) + _words("is the cheap-", left=60, top=668)
    words += _words("er one", left=60, top=656) + _words("$45.00", left=210, top=680)
    (table,) = tables(words, _grid((50, 200, 350), (704, 686, 640)))
    assert table.rows == (("Standard, which is the cheaper one", "$45.00"),)


def test_every_row_has_its_place() -> None:
    words = _rows([("Plan", "Cost"), ("Standard", "$45.00"), ("Plus", "$55.00")], lefts=(60, 210))
    (table,) = tables(words, _grid((50, 200, 350), (704, 688, 672, 656)))
    assert table.boxes[1] == Box(60.0, 658.0, 240.0, 668.0)
    # The head is lit up with the first row.
    assert table.boxes[0].top == 700.0


def test_figures_in_columns_are_a_table_without_any_rule() -> None:
    rows = [("Year", "Sales", "Cost"), ("2021", "4,711", "815"), ("2022", "5,000", "900"), ("2023", "5,100", "1,000")]
    (table,) = tables(_rows(rows, lefts=(60, 160, 260)), [])
    assert table.header == ("Year", "Sales", "Cost")
    assert len(table.rows) == 3


def test_names_over_a_rule_head_a_table_of_long_cells() -> None:
    words = _rows([("#", "Description", "Level")], lefts=(60, 100, 500))
    words += _rows([("1.1", "Verify that " + "input is checked " * 3, "1")], lefts=(60, 100, 500), top=680)
    words += _words("and that it is refused where it is wrong.", left=100, top=669)
    words += _rows([("1.2", "Verify that output is escaped.", "2")], lefts=(60, 100, 500), top=650)
    (table,) = tables(words, [Rule(True, 686, 55, 540)])
    assert table.header == ("#", "Description", "Level")
    assert [row[0] for row in table.rows] == ["1.1", "1.2"]
    assert table.rows[0][1].endswith("is refused where it is wrong.")


def test_prose_in_two_columns_is_no_table() -> None:
    words = _prose(left=50, chars=45, lines=20) + _prose(left=320, chars=45, lines=20)
    assert tables(words, []) == []


def test_a_table_in_one_column_is_no_table_with_the_prose_beside_it() -> None:
    rows = [("Set", "Train", "Test"), ("NQ", "79,168", "3,610"), ("Web", "3,417", "2,032"), ("SQ", "78,713", "10,570")]
    words = _prose(left=50, chars=45, lines=30) + _rows(rows, lefts=(320, 400, 480), step=12.0)
    words += _prose(left=320, chars=45, lines=20, top=580)
    (table,) = tables(words, [])
    assert table.header == ("Set", "Train", "Test")


def test_a_frame_around_prose_is_no_table() -> None:
    words = _prose(left=60, chars=90, lines=20)
    assert tables(words, _grid((50, 560), (710, 450))) == []


def test_a_list_of_contents_is_no_table() -> None:
    rows = [(f"{number}", f"Chapter {name}", f"{number * 7}") for number, name in enumerate("abcdefg", 1)]
    assert tables(_rows(rows, lefts=(60, 100, 400)), []) == []


def test_rows_that_run_from_the_right_are_turned_round() -> None:
    rows = [("15", "חופשה"), ("20", "מחלה")]
    words = _rows([("ימים", "סוג"), *rows], lefts=(60, 210))
    (table,) = tables(words, _grid((50, 200, 350), (704, 688, 672, 656)))
    assert table.header == ("סוג", "ימים")
    assert table.rows[0] == ("חופשה", "15")


def test_a_map_of_thousands_of_rules_is_soon_given_up() -> None:
    rules = [Rule(number % 2 == 0, number / 50, 0, 600) for number in range(50_000)]
    assert tables(_prose(left=60, chars=90, lines=5), rules) == []


def test_a_table_with_other_columns_does_not_go_on() -> None:
    above = Table(("A", "B"), (("1", "2"),), (Box(0, 0, 1, 1),), (50.0, 200.0), frozenset())
    below = Table(("C", "D"), (("3", "4"),), (Box(0, 0, 1, 1),), (50.0, 300.0), frozenset())
    assert continued(below, above=above) is below
