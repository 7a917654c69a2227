"""Cases asked of the live index: in an admin's rights, with the outcome on the run's row."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from ingestion import engine
from ingestion.errors import IndexUnavailableError
from ingestion.index.base import Attributes, IndexedChunk
from ingestion.models import Chunk, Document, DocumentState, Label
from ingestion.services import collection_create
from ragapp import wiring
from ragapp.accounts.models import User
from ragapp.answering.base import Passage
from ragapp.evaluation import live, services, tasks
from ragapp.evaluation.corpus import target_of
from ragapp.evaluation.errors import RunOpenError
from ragapp.evaluation.models import CaseTarget, EvaluationCase, EvaluationRun, RunState
from ragapp.gateway.scripted import ScriptedChat
from tests.ingestion.integrity.corpus import EMBEDDER
from tests.ragapp.web.world import document_in, passage_in

pytestmark = pytest.mark.django_db
TEXTS = {2: "Parental leave is twelve weeks.", 3: "Travel is booked in second class."}


@pytest.fixture
def manual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Document]:
    """Two pages in a real index of the test's own."""
    ours = {"index_dir": tmp_path / "index"}
    monkeypatch.setattr(settings, "INGESTION", settings.INGESTION.model_copy(update=ours))
    monkeypatch.setattr(settings, "RAGAPP", settings.RAGAPP.model_copy(update={"data_dir": tmp_path / "data"}))
    engine.close()
    document = document_in(collection_create(name="Handbook", label=Label.INTERNAL), name="manual.pdf")
    chunks = [passage_in(document, text=text, ordinal=page, page=page) for page, text in TEXTS.items()]
    with patch.object(engine, "embedder", lambda: EMBEDDER):
        engine.index().upsert([_point(chunk) for chunk in chunks])
        yield document
    engine.close()


def _point(chunk: Chunk) -> IndexedChunk:
    attributes = Attributes(
        document_id=str(chunk.document_id), version=1, collection_id=str(chunk.document.collection_id), label=1
    )
    (vector,) = EMBEDDER.embed_documents([chunk.text])
    return IndexedChunk(chunk_id=str(chunk.pk), text=chunk.text, vector=vector, attributes=attributes)


@pytest.fixture
def admin() -> User:
    return User.objects.create_user("ada", password="correct horse battery", is_staff=True)


def case_of(manual: Document, question: str, *, page: int | None) -> EvaluationCase:
    case = EvaluationCase.objects.create(question_set="hr", question=question)
    CaseTarget.objects.create(case=case, document=manual, page=page)
    return case


def asked_for(admin: User, *arms: str) -> EvaluationRun:
    run = services.run_request("hr", arms=arms or ("bm25", "hybrid"), requested_by=admin)
    tasks.run_cases(run.pk)
    run.refresh_from_db()
    return run


def test_pages_and_whole_documents_are_found_in_one_set(manual: Document, admin: User) -> None:
    by_page = case_of(manual, "parental leave", page=2)
    whole = case_of(manual, "second class", page=None)
    run = asked_for(admin)
    assert (run.state, run.error_code) == (RunState.DONE, "")
    assert [arm["arm"] for arm in run.report["arms"]] == ["bm25", "hybrid"]
    found = run.report["arms"][1]["found"]
    assert found[str(by_page.pk)][0] == f"{manual.pk}#page=2"
    assert found[str(whole.pk)] == [str(manual.pk)]
    assert (run.report["documents"], run.report["chunks"], run.configuration["corpus"]) == (1, 3, "live")
    assert (run.step, run.done, run.total) == ("hybrid", 2, 2)
    assert [each["arm"] for each in run.figures] == ["hybrid", "bm25"]


def test_a_run_keeps_no_text_of_its_cases(manual: Document, admin: User) -> None:
    case_of(manual, "parental leave", page=2)
    assert "parental" not in str(asked_for(admin).report)


def test_a_set_without_anything_to_find_fails_with_its_reason(manual: Document, admin: User) -> None:
    EvaluationCase.objects.create(question_set="hr", question="king of France?", answerable=False)
    run = asked_for(admin)
    assert (run.state, run.error_code) == (RunState.FAILED, "nothing_to_measure")


def test_a_deleted_document_is_not_to_be_found(manual: Document, admin: User) -> None:
    case_of(manual, "parental leave", page=2)
    Document.objects.update(state=DocumentState.DELETING)
    assert asked_for(admin).error_code == "nothing_to_measure"


def test_who_is_no_admin_any_more_measures_nothing(manual: Document, admin: User) -> None:
    case_of(manual, "parental leave", page=2)
    run = services.run_request("hr", arms=["bm25"], requested_by=admin)
    User.objects.update(is_staff=False)
    tasks.run_cases(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error_code) == (RunState.FAILED, "not_allowed")


def test_an_outage_fails_the_run_with_its_code(manual: Document, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    case_of(manual, "parental leave", page=2)

    def down() -> None:
        raise IndexUnavailableError("refused")

    monkeypatch.setattr(engine, "index", down)
    assert asked_for(admin).error_code == "index_unavailable"


def test_a_fault_of_ours_fails_the_run_too(manual: Document, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    case_of(manual, "parental leave", page=2)
    monkeypatch.setattr(live, "measure_cases", lambda *_, **__: 1 / 0)
    assert asked_for(admin).error_code == "internal_error"


def test_a_run_is_made_once(manual: Document, admin: User) -> None:
    case_of(manual, "parental leave", page=2)
    run = asked_for(admin)
    assert services.run_claim(run.pk) is None
    tasks.run_cases(run.pk)
    tasks.run_cases(4711)
    assert EvaluationRun.objects.get() == run


def test_a_run_that_is_deleted_meanwhile_stays_deleted(manual: Document, admin: User) -> None:
    case_of(manual, "parental leave", page=2)
    report = live.measure_cases("hr", user=admin, arms={}, progress=lambda *_: None)
    run = services.run_request("hr", arms=["bm25"], requested_by=admin)
    EvaluationRun.objects.all().delete()
    services.run_finish(run, report)
    assert not EvaluationRun.objects.exists()


def test_a_person_has_one_open_run_of_a_set(admin: User) -> None:
    first = services.run_request("hr", arms=["bm25"], requested_by=admin)
    with pytest.raises(RunOpenError):
        services.run_request("hr", arms=["dense"], requested_by=admin)
    services.run_request("other", arms=["bm25"], requested_by=admin)
    services.run_request("hr", arms=["bm25"], requested_by=User.objects.create_user("rae", is_staff=True))
    services.run_fail(first.pk, code="internal_error")
    services.run_request("hr", arms=["bm25"], requested_by=admin)
    assert EvaluationRun.objects.filter(state=RunState.QUEUED).count() == 3


def test_silent_runs_expire(admin: User) -> None:
    run = services.run_request("hr", arms=["bm25"], requested_by=admin)
    tasks.tend_evaluation()
    assert EvaluationRun.objects.get().state == RunState.QUEUED
    EvaluationRun.objects.update(heard_at=timezone.now() - services.SILENCE - timedelta(seconds=1))
    tasks.tend_evaluation()
    run.refresh_from_db()
    assert (run.state, run.error_code) == (RunState.FAILED, "evaluation_interrupted")


def test_the_command_measures_cases_as_a_person(
    manual: Document, admin: User, capsys: pytest.CaptureFixture[str]
) -> None:
    case_of(manual, "parental leave", page=2)
    call_command("evaluate", "retrieval", "--cases", "hr", "--user", "ada", "--arms", "bm25,hybrid")
    assert "hr, run" in capsys.readouterr().out
    assert EvaluationRun.objects.get().state == RunState.DONE
    User.objects.create_user("rae")
    with pytest.raises(CommandError, match="not_allowed"):
        call_command("evaluate", "retrieval", "--cases", "hr", "--user", "rae")


# The search runs in a thread of its own, with a connection of its own.
@pytest.mark.django_db(transaction=True)
def test_the_command_has_cases_answered_and_keeps_none_of_their_words(
    manual: Document, admin: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = case_of(manual, "How long is parental leave?", page=2)
    EvaluationCase.objects.update(expected="Parental leave is twelve weeks.")
    EvaluationCase.objects.create(question_set="hr", question="Who reigns France?", answerable=False)
    model = ScriptedChat(["Parental leave is twelve weeks."], ["I don't know."])
    monkeypatch.setattr(wiring, "chat_model_named", lambda name: nullcontext(model))
    call_command("evaluate", "answers", "--cases", "hr", "--user", "ada")
    printed = capsys.readouterr().out
    for words in ("hr, run", "| citation_recall | 1.000", "| token_f1 | 1.000", "| answered_though_unanswerable |"):
        assert words in printed
    run = EvaluationRun.objects.get()
    assert (run.configuration["corpus"], run.configuration["model"]) == ("live", "scripted")
    answered = run.report["questions"][0]
    assert (answered["id"], answered["cited"]) == (str(case.pk), [f"{manual.pk}#page=2"])
    for words in ("arental", "twelve", "France"):
        assert words not in str(run.report)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "either a folder"),
        (["x", "--cases", "hr"], "either a folder"),
        (["--cases", "hr", "--limit", "3"], "--limit"),
    ],
)
def test_the_command_wants_one_thing_to_measure(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("evaluate", "retrieval", *arguments)


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        (["d"], "d"),
        (["d#page=3"], "d#page=3"),
        (["other#page=1"], "d#page=3"),
        (["other"], "d"),
        (["d", "x#page=1"], "d"),
    ],
)
def test_a_passage_is_known_as_its_question_names_things(wanted: list[str], target: str) -> None:
    passage = Passage(chunk_id="c", document_id="d", collection_id="k", title="", text="", label=0, page=3)
    assert target_of(passage, wanted=wanted) == target
