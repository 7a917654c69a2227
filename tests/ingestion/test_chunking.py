"""Chunks fit the model, keep their place, and are whole."""

import hashlib
import os
import random
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ingestion.chunking import ChunkText, chunk, chunk_id, document_text
from ingestion.parsing.base import Line, ParsedDocument, Section

ROOT = Path(__file__).parents[2]
RUN = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(1500))


def words(text: str) -> int:
    return len(re.findall(r"\w+", text))


def cut(*sections: Section, tokens: int = 40, overlap: int = 8) -> list[ChunkText]:
    return chunk(ParsedDocument(sections=sections), tokens=tokens, overlap=overlap, count_tokens=words)


def prose(sentences: int, *, seed: int = 0) -> str:
    source = random.Random(seed)
    return " ".join(
        " ".join(source.choice(("leave", "travel", "day", "manager", "form")) for _ in range(9)).capitalize() + "."
        for _ in range(sentences)
    )


def test_every_chunk_is_at_its_place_in_the_documents_text() -> None:
    parsed = ParsedDocument(
        sections=(Section(prose(30), page=1), Section("short", page=2), Section(prose(40, seed=1), page=3))
    )
    chunks = chunk(parsed, tokens=40, overlap=10, count_tokens=words)
    text = document_text(parsed)
    assert [text[each.start : each.end] for each in chunks] == [each.text for each in chunks]
    assert [each.ordinal for each in chunks] == list(range(len(chunks)))


def test_no_chunk_is_blank_or_too_large() -> None:
    chunks = cut(Section(prose(50)), Section("\n \n"), Section("# A\n\n\n\n" + prose(3)))
    assert all(each.text.strip() and words(each.text) <= 40 for each in chunks)


def test_all_words_are_in_some_chunk() -> None:
    source = " ".join(f"word{number}." for number in range(500))
    found = {word for each in cut(Section(source)) for word in each.text.split()}
    assert found == set(source.split())


def test_neighbours_share_whole_sentences() -> None:
    first, second, *_ = cut(Section(" ".join(f"Sentence number {number}." for number in range(60))))
    assert second.start < first.end


def test_page_and_heading_are_kept_and_pages_never_mix() -> None:
    chunks = cut(Section("one", page=1, heading="A"), Section("two", page=2, heading="A"))
    assert [(each.page, each.heading, each.text) for each in chunks] == [(1, "A", "one"), (2, "A", "two")]


def test_fragments_of_a_page_are_merged_under_their_common_heading() -> None:
    chunks = cut(
        Section("# A", page=1, heading="Book > A"),
        Section("## B\n" + prose(3), page=1, heading="Book > A > B"),
        Section("## C\n" + prose(4), page=1, heading="Book > A > C"),
    )
    assert [each.heading for each in chunks] == ["Book > A", "Book > A > C"]
    assert chunks[0].text.startswith("# A\n\n## B\n")


def test_merged_sections_without_a_common_heading_keep_the_first() -> None:
    (only,) = cut(Section("one", heading="A"), Section("two", heading="B"))
    assert only.heading == "A"


def test_sections_that_are_no_fragments_stay_apart() -> None:
    assert len(cut(Section(prose(2)), Section(prose(2)))) == 2


def test_a_run_without_spaces_is_cut_though_the_tokenizer_calls_it_one_word() -> None:
    chunks = chunk(ParsedDocument(sections=(Section(RUN),)), tokens=40, overlap=0, count_tokens=words)
    assert all(len(each.text) <= 40 * 12 for each in chunks)
    assert "".join(each.text for each in chunks) == RUN


@pytest.mark.parametrize(
    "text", ["予算。" * 9000, "a." * 20_000, "." * 40_000, "\n" * 50_000 + "end", "-\u00a0" * 9000]
)
def test_odd_texts_are_chunked_in_bounded_pieces(text: str) -> None:
    assert all(0 < len(each.text) <= 40 * 12 for each in cut(Section(text)))


def test_marks_are_not_taken_off_a_sentence_one_by_one() -> None:
    asked: list[str] = []

    def characters(text: str) -> int:
        asked.append(text)
        return len(text)

    chunk(ParsedDocument(sections=(Section("!" * 20_000),)), tokens=160, overlap=24, count_tokens=characters)
    assert len(asked) < 1000


def test_nothing_is_looked_up_or_fetched_wherever_data_of_nltk_and_tiktoken_should_be(tmp_path: Path) -> None:
    program = """
        import sys

        reached = []
        sys.addaudithook(
            lambda event, _: reached.append(event) if event.startswith(("socket.", "urllib.", "subprocess.")) else None
        )
        from ingestion.chunking import chunk
        from ingestion.parsing.base import Line, ParsedDocument, Section

        import tiktoken

        parsed = ParsedDocument((Section("# A\\n" + "Words of one sentence. " * 50),))
        chunks = chunk(parsed, tokens=40, overlap=8, count_tokens=lambda text: len(text.split()))
        # urllib3 binds a socket to this machine's own address, to learn whether it has IPv6.
        asked = [event for event in reached if event not in {"socket.__new__", "socket.bind"}]
        print(len(chunks), chunks[0].text.endswith("sentence."), sorted(set(asked)))
    """
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {
        **{"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        **dict.fromkeys(("NLTK_DATA", "TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"), str(empty)),
    }
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.stdout.split(" ", 1)[1:], ran.stderr) == (["True []\n"], "")
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("seed", range(30))
def test_whatever_stands_between_words_every_chunk_has_its_place(seed: int) -> None:
    source = random.Random(seed)
    joints = [" ", ". ", "\n", "\n\n", "\n\n\n \n", ", ", "  \t", "...", "\u3002", "? ", "\n- ", "; ", "\u2028", "\x85"]
    texts = [
        "".join(
            source.choice(("leave", "Dr", "e.g", "x" * source.randint(1, 600), "9", "")) + source.choice(joints)
            for _ in range(source.randint(1, 300))
        )
        for _ in range(4)
    ]
    parsed = ParsedDocument(sections=tuple(Section(text) for text in texts))
    text = document_text(parsed)
    chunks = chunk(parsed, tokens=source.randint(20, 60), overlap=source.randint(0, 15), count_tokens=words)
    assert [text[each.start : each.end] for each in chunks] == [each.text for each in chunks]


def test_a_table_of_wide_blanks_and_rules_keeps_its_places() -> None:
    table = "| Topic" + " " * 200 + "|\n| " + "-" * 240 + " | " + "-" * 300 + " |\n| visa | ask |"
    (parsed,) = [ParsedDocument(sections=(Section(table),))]
    chunks = chunk(parsed, tokens=40, overlap=20, count_tokens=words)
    assert [table[each.start : each.end] for each in chunks] == [each.text for each in chunks]


def test_the_same_document_gives_the_same_chunks() -> None:
    assert cut(Section(prose(80))) == cut(Section(prose(80)))


def test_ids_are_stable_and_differ_by_document_version_and_ordinal() -> None:
    assert chunk_id("d", 1, 0) == chunk_id("d", 1, 0)
    assert len({chunk_id("d", 1, 0), chunk_id("e", 1, 0), chunk_id("d", 2, 0), chunk_id("d", 1, 1)}) == 4


def table(rows: int, header: str = "| item | price |\n| --- | --- |") -> Section:
    text = "\n".join(f"| item {number} of the list | {number} euro |" for number in range(rows))
    return Section(text, page=2, heading="Prices", place="sheet Costs", is_table=True, header=header)


def test_a_table_keeps_whole_rows_and_repeats_its_header() -> None:
    section = table(60)
    chunks = chunk(ParsedDocument((section,)), tokens=60, overlap=8, count_tokens=words)
    rows = []
    for each in chunks:
        head, rule, *body = each.text.split("\n")
        assert (head, rule) == ("| item | price |", "| --- | --- |")
        assert words(each.text) <= 60
        assert (each.is_table, each.place, each.page) == (True, "sheet Costs", 2)
        assert section.text[each.start : each.end] == "\n".join(body)
        rows += body
    assert rows == section.text.split("\n"), "every row once, and none cut"


def test_a_table_is_not_joined_to_the_prose_beside_it() -> None:
    document = ParsedDocument((Section("Prices.", page=2, place="sheet Costs"), table(2)))
    assert [each.is_table for each in chunk(document, tokens=100, overlap=8, count_tokens=words)] == [False, True]


def test_a_row_that_is_larger_than_many_passages_is_split_like_prose() -> None:
    section = Section("| " + "word " * 2_000 + "|", is_table=True, header="| text |\n| --- |")
    chunks = chunk(ParsedDocument((section,)), tokens=100, overlap=8, count_tokens=words)
    assert len(chunks) > 15
    assert sum(each.text.count("word") for each in chunks) >= 2_000


def test_a_passage_knows_its_boxes_on_the_page() -> None:
    lines = tuple(
        Line(start, start + 9, left=0.1, top=0.1 * row, right=0.5, bottom=0.1 * row + 0.05)
        for row, start in enumerate((0, 10, 20), start=1)
    )
    first = Section("one one.\n\ntwo two.\n\nsix six.", page=1, lines=lines)
    second = Section("ten ten.", page=1, lines=(Line(0, 8, 0.6, 0.1, 0.9, 0.15),))
    [found] = chunk(ParsedDocument((first, second)), tokens=100, overlap=0, count_tokens=words)
    assert found.boxes[-1] == (0.6, 0.1, 0.9, 0.15)
    assert len(found.boxes) >= 2
    assert all(0 <= side <= 1 for box in found.boxes for side in box)


def test_lines_of_one_column_become_one_box() -> None:
    lines = tuple(
        Line(9 * row, 9 * row + 8, left=0.1, top=0.1 + 0.02 * row, right=0.5, bottom=0.115 + 0.02 * row)
        for row in range(5)
    )
    section = Section("one two. " * 5, page=1, lines=lines)
    [found] = chunk(ParsedDocument((section,)), tokens=100, overlap=0, count_tokens=words)
    assert found.boxes == ((0.1, 0.1, 0.5, 0.195),)
