"""What a folder must hold to be a question set, and how it is told where it does not."""

from pathlib import Path

import pytest

from ragapp.evaluation import question_set
from ragapp.evaluation.errors import InvalidQuestionSetError
from tests.ragapp.evaluation.conftest import write_lines


def test_a_set_is_read_whole(folder: Path) -> None:
    found = question_set.load(folder)
    assert (found.name, len(found.questions), len(found.passages)) == ("merrowby", 4, 3)
    assert found.relevant["q1"] == {"leave": 1}
    assert [each.is_answerable for each in found.questions] == [True, True, True, False]


def test_a_split_and_a_limit_leave_the_rest_out(folder: Path) -> None:
    assert [each.id for each in question_set.load(folder, split="test").questions] == ["q1", "q2", "q4"]
    assert [each.id for each in question_set.load(folder, limit=2).questions] == ["q1", "q2"]


def test_a_split_that_is_not_there_is_no_empty_success(folder: Path) -> None:
    with pytest.raises(InvalidQuestionSetError, match="no question of split 'tset'"):
        question_set.load(folder, split="tset")


def test_files_take_the_place_of_the_corpus(folder: Path) -> None:
    (folder / "files" / "hr").mkdir(parents=True)
    (folder / "files" / "hr" / "leave.md").write_text("25 days")
    found = question_set.load(folder)
    assert (list(found.files), found.passages) == (["hr/leave.md"], ())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("corpus.jsonl", '{"id": "a", "text": "x"}\n{"id": "b"}\n', "corpus.jsonl, line 2: text"),
        ("corpus.jsonl", "no json\n", "corpus.jsonl, line 1: no JSON object"),
        ("queries.jsonl", '{"id": "a", "text": ""}\n', "queries.jsonl, line 1: text"),
        ("queries.jsonl", '{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n', "line 2: the id 'a' is there twice"),
        ("qrels.tsv", "q\tc\ts\nq1\tleave\tone\n", "qrels.tsv, line 2"),
        ("qrels.tsv", "q1\tleave\t1\nq2 travel 1\n", "qrels.tsv, line 2"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(InvalidQuestionSetError, match=message):
        question_set.load(folder)


def test_a_missing_file_and_one_that_is_not_utf_8_are_told(folder: Path) -> None:
    (folder / "qrels.tsv").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidQuestionSetError, match="is not UTF-8"):
        question_set.load(folder)
    (folder / "qrels.tsv").unlink()
    with pytest.raises(InvalidQuestionSetError, match="cannot be read"):
        question_set.load(folder)


def test_mtrag_says_unanswerable_in_its_own_word(folder: Path) -> None:
    write_lines(folder / "queries.jsonl", [{"id": "a", "text": "x", "answerability": "UNANSWERABLE"}])
    assert not question_set.load(folder).questions[0].is_answerable
