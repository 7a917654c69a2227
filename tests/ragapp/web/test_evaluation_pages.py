"""Sets, runs, trend, side by side, and cases: for admins, and as far as their own rights go."""

import io
import json
import zipfile
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingestion.models import Document, DocumentState
from ragapp.chat.models import Feedback, Thumb
from ragapp.evaluation.models import CaseTarget, EvaluationCase, EvaluationKind, EvaluationRun, RunState
from ragapp.evaluation.services import run_keep, run_request
from tests.ragapp.web.world import HTMX, World, answer_in, browser_of, cite


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def retrieval_run(first: str = "a.pdf", *, cases: dict[str, float] | None = None, **questions: float) -> EvaluationRun:
    """One arm, 'rerank', with nDCG@10 by question of a folder, or by stored case."""
    values, live = cases or questions, cases is not None
    mean = sum(values.values()) / len(values)
    arm: dict[str, Any] = {
        "arm": "rerank",
        "measures": {"nDCG@10": figure(mean)},
        "latency_ms": {"embed": [1.0, 2.0], "total": [3.0, 4.0]},
        "judged": {key: {"nDCG@10": value} for key, value in values.items()},
        "found": {key: [first] for key in values},
    }
    return run_keep(
        kind=EvaluationKind.RETRIEVAL,
        question_set="hr",
        configuration={"embedding_model": "hashing", "chunk_tokens": 256} | ({"corpus": "live"} if live else {}),
        report={
            "questions": len(values), "documents": 2, "chunks": 5, "unread": {"x.pdf": "damaged_document"},
            "arms": [arm], "comparisons": [], "texts": {} if live else {key: f"Text of {key}?" for key in values},
        },
    )  # fmt: skip


def answers_run(answer: str, value: float) -> EvaluationRun:
    question = {"id": "q1", "text": "How long?", "answer": answer, "refused": False, "measures": {"correct": value}}
    return run_keep(
        kind=EvaluationKind.ANSWERS,
        question_set="hr",
        configuration={"model": "tiny"},
        report={
            "questions": [question],
            "measures": {"correct": figure(value)},
            "latency_ms": {"first token": [512.0, 900.5]},
        },
    )


def case_in(world: World, document: Document, *, page: int | None = None, **fields: Any) -> EvaluationCase:
    case = EvaluationCase.objects.create(
        **{"question_set": "hr", "question": "How long is leave?", "expected": "Twelve weeks.", **fields}
    )
    case.sources.create(document=document)
    CaseTarget.objects.create(case=case, document=document, page=page)
    return case


def page(world: World, name: str, *args: object, **query: str) -> str:
    response = browser_of(world.admin).get(reverse(f"web:{name}", args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def test_an_empty_page_says_how_to_begin(world: World) -> None:
    assert "No question sets yet" in page(world, "evaluation")


def test_sets_come_from_runs_and_from_cases(world: World) -> None:
    retrieval_run(q1=0.5)
    retrieval_run(q1=0.75)
    case_in(world, world.leave, question_set="from answers")
    html = page(world, "evaluation")
    for words in ("from answers", "2 runs", "1 case", "0.750", "nDCG@10, rerank", "from 0.500 to 0.750"):
        assert words in html


def test_a_set_shows_its_runs_of_every_kind_with_a_trend_for_each(world: World) -> None:
    retrieval_run(q1=0.5, q2=0.7)
    retrieval_run(q1=0.9, q2=0.7)
    answers_run("Twelve.", 0.25)
    answers_run("Ten.", 0.5)
    html = page(world, "evaluation_set", set="hr")
    assert html.count('<figure class="trend">') == 2
    for words in ("rerank <b>0.800</b>", "correct <b>0.500</b>", "hashing, 256 tokens", "tiny"):
        assert words in html


def test_a_set_that_nobody_made_is_404(world: World) -> None:
    for name in ("evaluation_set", "evaluation_runs", "evaluation_cases_export"):
        assert browser_of(world.admin).get(reverse(f"web:{name}"), {"set": "x"}).status_code == 404
    start = reverse("web:evaluation_start")
    assert browser_of(world.admin).post(start, {"set": "x", "arms": "bm25"}).status_code == 404


def test_a_run_shows_measures_latency_and_what_was_not_read(world: World) -> None:
    run = retrieval_run(q1=0.5)
    html = page(world, "evaluation_run", run.pk)
    for words in ("<b>0.500</b><small>0.400 to 0.600</small>", "<b>3.0</b><small>4.0</small>", "x.pdf: The file is"):
        assert words in html


def test_a_run_of_answers_and_one_that_waits_have_a_page_too(world: World) -> None:
    html = page(world, "evaluation_run", answers_run("Twelve weeks.", 0.25).pk)
    for words in ("<b>0.250</b>", "<b>512.0</b><small>900.5</small>", "All questions", "tiny"):
        assert words in html
    assert "Waiting" in page(world, "evaluation_run", run_request("hr", arms=["bm25"], requested_by=world.admin).pk)


def test_a_run_of_refusals_shows_its_curves(world: World) -> None:
    point = {"by": "doubt", "threshold": 0.6, "answerable": figure(0.125), "unanswerable": figure(0.875)}
    run = run_keep(
        kind=EvaluationKind.REFUSALS,
        question_set="hr",
        configuration={"model": "tiny"},
        report={
            "questions": [], "documents": 2, "chunks": 5, "unread": {},
            "measures": {"doubt_auc": figure(0.71)}, "curves": {"doubt": [point]},
        },
    )  # fmt: skip
    html = page(world, "evaluation_run", run.pk)
    for words in ("Refusals", "doubt_auc", "<b>0.710</b>", "Refused: doubt", "<td>0.60</td>", "<b>0.875</b>"):
        assert words in html
    assert "doubt_auc <b>0.710</b>" in page(world, "evaluation_set", set="hr")


def test_a_run_is_exported_and_deleted(world: World) -> None:
    run = retrieval_run(q1=0.5)
    client = browser_of(world.admin)
    response = client.get(reverse("web:evaluation_export", args=[run.pk]))
    assert (response.json()["run"], response.json()["arms"][0]["found"]) == (run.pk, {"q1": ["a.pdf"]})
    assert f"evaluation-run-{run.pk}.json" in response["Content-Disposition"]
    url = reverse("web:evaluation_run_delete", args=[run.pk])
    assert "Delete run" in client.get(url, headers=HTMX).content.decode()
    assert client.post(url)["Location"] == reverse("web:evaluation")
    assert not EvaluationRun.objects.exists()


def test_two_runs_are_side_by_side_question_by_question(world: World) -> None:
    first, second = retrieval_run(q1=0.5, q2=0.7, q3=1.0), retrieval_run("b.pdf", q1=0.9, q2=0.7, q3=0.2)
    sides = {"a": f"{first.pk}:rerank", "b": f"{second.pk}:rerank"}
    html = page(world, "evaluation_compare", **sides)
    assert [html.index(text) for text in ("Text of q3?", "Text of q2?", "Text of q1?")] == sorted(
        html.index(text) for text in ("Text of q3?", "Text of q2?", "Text of q1?")
    )
    for words in ("B is worse by 0.133", "▲ better", "▼ worse", "a.pdf", "b.pdf"):
        assert words in html
    different = page(world, "evaluation_compare", **sides, different="1")
    assert "Text of q2?" not in different
    assert "Text of q1?" in different


def test_answers_are_side_by_side_with_their_words(world: World) -> None:
    first, second = answers_run("Twelve weeks.", 1.0), answers_run("Ten.", 0.0)
    html = page(world, "evaluation_compare", a=f"{first.pk}:", b=f"{second.pk}:", measure="correct")
    for words in ("Twelve weeks.", "Ten.", "How long?", "B is worse by 1.000"):
        assert words in html


def test_the_last_run_is_offered_beside_the_one_before_it_of_its_kind(world: World) -> None:
    first, _, last = retrieval_run(q1=0.5), answers_run("x", 1.0), retrieval_run(q1=0.75)
    html = page(world, "evaluation_set", set="hr")
    for run in (first, last):
        assert f'<option value="{run.pk}:rerank" selected>' in html
    assert html.count(" selected>") == 2


def test_runs_of_different_kinds_have_nothing_to_compare(world: World) -> None:
    html = page(world, "evaluation_compare", a=f"{retrieval_run(q1=0.5).pk}:rerank", b=f"{answers_run('x', 1.0).pk}:")
    assert "no question in common" in html


@pytest.mark.parametrize("side", ["", "x", "4711:rerank", "{}:dense", "{}:"])
def test_a_side_that_does_not_exist_is_404(world: World, side: str) -> None:
    run = retrieval_run(q1=0.5)
    query = {"a": f"{run.pk}:rerank", "b": side.format(run.pk)}
    assert browser_of(world.admin).get(reverse("web:evaluation_compare"), query).status_code == 404


def test_questions_and_documents_of_cases_are_named_as_far_as_rights_go(world: World) -> None:
    case = case_in(world, world.leave)
    first = retrieval_run(f"{world.leave.pk}#page=3", cases={str(case.pk): 0.5})
    second = retrieval_run(str(uuid4()), cases={str(case.pk): 1.0})
    sides = {"a": f"{first.pk}:rerank", "b": f"{second.pk}:rerank"}
    html = page(world, "evaluation_compare", **sides)
    for words in ("How long is leave?", "leave.md, page 3", "a document that is gone"):
        assert words in html
    Document.objects.filter(pk=world.leave.pk).update(state=DocumentState.DELETING)
    case.delete()
    html = page(world, "evaluation_compare", **sides)
    assert "How long is leave?" not in html
    assert "leave.md" not in html


def test_cases_show_what_is_right_and_lose_it_with_its_document(world: World) -> None:
    case_in(world, world.leave, page=3)
    html = page(world, "evaluation_set", set="hr")
    for words in ("How long is leave?", "Twelve weeks.", "leave.md, page 3", "Restricted"):
        assert words in html
    Document.objects.filter(pk=world.leave.pk).update(state=DocumentState.DELETING)
    html = page(world, "evaluation_set", set="hr")
    assert "Twelve weeks." not in html
    assert "leave.md" not in html
    assert "rested on a document that is deleted" in html


def test_a_case_is_corrected_and_deleted(world: World) -> None:
    case = case_in(world, world.leave)
    client, url = browser_of(world.admin), reverse("web:evaluation_case", args=[case.pk])
    assert "Twelve weeks." in client.get(url).content.decode()
    assert client.post(url, {"expected": "Ten weeks.", "answerable": "on"}).status_code == 302
    case.refresh_from_db()
    assert (case.expected, case.answerable) == ("Ten weeks.", True)
    client.post(url, {"expected": ""})
    case.refresh_from_db()
    assert (case.expected, case.answerable) == ("", False)
    url = reverse("web:evaluation_case_delete", args=[case.pk])
    assert "Delete this case?" in client.get(url, headers=HTMX).content.decode()
    client.post(url)
    assert not EvaluationCase.objects.exists()


def test_an_answer_is_added_by_a_dialog_that_knows_the_last_set(world: World) -> None:
    answer = answer_in(world.conversation, text="Twelve weeks. [1]")
    cite(answer, world.leave)
    Feedback.objects.create(message=answer, author=world.reader, thumb=Thumb.UP)
    client, url = browser_of(world.admin), reverse("web:evaluation_case_add", args=[answer.pk])
    assert 'value="From answers"' in client.get(url, headers=HTMX).content.decode()
    words = client.post(url, {"set": "hr"}, headers=HTMX).content.decode()
    assert "In “hr”" in words
    assert EvaluationCase.objects.get().expected == "Twelve weeks."
    assert 'value="hr"' in client.get(url, headers=HTMX).content.decode()
    assert "Added to “hr”" in client.post(url, {"set": "hr"}, follow=True).content.decode()


def test_what_cannot_be_added_is_told_beside_the_button(world: World) -> None:
    Feedback.objects.create(message=world.answer, author=world.reader, thumb=Thumb.UP)
    client, url = browser_of(world.admin), reverse("web:evaluation_case_add", args=[world.answer.pk])
    response = client.post(url, {"set": " "}, headers=HTMX)
    assert response.status_code == 422
    assert response.content.decode().startswith(f'<span class="add-case" id="add-case-{world.answer.pk}">')
    assert "Give the set a name" in response.content.decode()
    assert "<form" in client.post(url, {"set": " "}).content.decode()
    Document.objects.update(state=DocumentState.DELETING)
    assert "Only a finished answer" in client.post(url, {"set": "hr"}, headers=HTMX).content.decode()


def test_another_persons_answer_without_feedback_is_not_there(world: World) -> None:
    url = reverse("web:evaluation_case_add", args=[world.answer.pk])
    assert browser_of(world.admin).get(url).status_code == 404
    assert browser_of(world.admin).post(url, {"set": "hr"}).status_code == 404


def test_cases_are_exported_as_a_folder(world: World) -> None:
    case = case_in(world, world.leave, page=3)
    response = browser_of(world.admin).get(reverse("web:evaluation_cases_export"), {"set": "hr"})
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert json.loads(archive.read("queries.jsonl"))["answers"] == ["Twelve weeks."]
        assert f"{case.pk}\tHandbook/leave.md#page=3\t1\n" in archive.read("qrels.tsv").decode()


def test_a_run_over_cases_is_asked_for_and_watched(world: World) -> None:
    case_in(world, world.leave)
    client, url = browser_of(world.admin), reverse("web:evaluation_start")
    assert "Choose at least one arm" in client.post(url, {"set": "hr", "arms": "magic"}, follow=True).content.decode()
    client.post(url, {"set": "hr", "arms": ["bm25", "rerank"]})
    run = EvaluationRun.objects.get()
    assert (run.state, run.configuration["arms"], run.requested_by) == (
        RunState.QUEUED,
        ["bm25", "rerank"],
        world.admin,
    )
    assert "is not over yet" in client.post(url, {"set": "hr", "arms": "bm25"}, follow=True).content.decode()
    EvaluationRun.objects.update(state=RunState.RUNNING, step="bm25", done=3, total=8)
    fragment = page(world, "evaluation_runs", set="hr")
    assert "bm25, 3 of 8" in fragment
    assert "every 2s" in fragment
    assert "3 of 8" in page(world, "evaluation_run", run.pk)
    EvaluationRun.objects.update(state=RunState.FAILED, error_code="index_unavailable")
    fragment = page(world, "evaluation_runs", set="hr")
    assert "The search index is not available." in fragment
    assert "every 2s" not in fragment


def test_more_runs_and_cases_cost_no_more_queries(world: World) -> None:
    def queries() -> int:
        client = browser_of(world.admin)
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("web:evaluation_set"), {"set": "hr"})
        return len(captured)

    def fill() -> None:
        retrieval_run(q1=0.5)
        case_in(world, world.leave)

    fill()
    fill()
    before = queries()
    fill()
    fill()
    assert queries() == before


@pytest.mark.parametrize(
    "name", ["evaluation", "evaluation_set", "evaluation_runs", "evaluation_compare", "evaluation_cases_export"]
)
def test_readers_find_none_of_it(world: World, name: str) -> None:
    retrieval_run(q1=0.5)
    client = browser_of(world.reader)
    assert client.get(reverse(f"web:{name}"), {"set": "hr"}).status_code == 403
    assert f'href="{reverse("web:evaluation")}"' not in client.get(reverse("web:documents")).content.decode()


def test_a_reader_changes_nothing(world: World) -> None:
    case, run = case_in(world, world.leave), run_request("hr", arms=["bm25"], requested_by=world.admin)
    client = browser_of(world.reader)
    for name, key in [
        ("evaluation_case", case.pk),
        ("evaluation_case_delete", case.pk),
        ("evaluation_run", run.pk),
        ("evaluation_export", run.pk),
        ("evaluation_run_delete", run.pk),
        ("evaluation_case_add", world.answer.pk),
    ]:
        assert client.post(reverse(f"web:{name}", args=[key]), {"set": "hr"}).status_code == 403, name
    assert client.post(reverse("web:evaluation_start"), {"set": "hr", "arms": "bm25"}).status_code == 403
    assert EvaluationCase.objects.exists()
