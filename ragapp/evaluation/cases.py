"""Cases: questions with what is right, gathered from answers. For admins; every look-up takes the reader's scope."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Prefetch, Q, QuerySet

from ingestion.access import AccessScope
from ingestion.models import Document
from ingestion.selectors import uuid_or_none
from ragapp.accounts.models import User
from ragapp.answering.citing import without_markers
from ragapp.chat.errors import AnswerNotFoundError
from ragapp.chat.models import AnswerState, Feedback, Message, Role
from ragapp.chat.services import DOCUMENT_IS_GONE, history_before, question_of, with_sources
from ragapp.evaluation.errors import CaseNotFoundError, CaseRefusedError, SetNameError
from ragapp.evaluation.models import CaseSource, CaseTarget, EvaluationCase
from ragapp.evaluation.question_set import Question, QuestionSet, Turn

NAME_LIMIT = 200
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f/\\#]+")


@dataclass(frozen=True)
class Folder:
    """The lines of queries.jsonl and of qrels.tsv."""

    queries: tuple[Mapping[str, object], ...]
    qrels: tuple[tuple[str, str, str], ...]


def cases_visible_to(scope: AccessScope) -> QuerySet[EvaluationCase]:
    """Those of whose documents none is outside the scope, the oldest first, with what rights are asked of.

    A case whose documents were deleted stays, without what was drawn from them: see `EvaluationCase.is_withdrawn`.
    """
    outside = CaseSource.objects.filter(document__isnull=False).exclude(
        document__collection_id__in=scope.collection_ids
    )
    return EvaluationCase.objects.exclude(pk__in=outside.values("case")).prefetch_related(
        Prefetch("sources", CaseSource.objects.select_related("document")),
        Prefetch("targets", CaseTarget.objects.select_related("document__collection")),
    )


def cases_of(question_set: str, *, scope: AccessScope) -> QuerySet[EvaluationCase]:
    """Those of one set."""
    return cases_visible_to(scope).filter(question_set=question_set)


def case_get(case_id: str | UUID, *, scope: AccessScope) -> EvaluationCase:
    """Raises CaseNotFoundError, also where it is hidden."""
    key = uuid_or_none(case_id)
    found = cases_visible_to(scope).filter(pk=key).first() if key else None
    if found is None:
        raise CaseNotFoundError(str(case_id))
    return found


def questions_by_id(ids: Iterable[str], *, scope: AccessScope) -> dict[str, str]:
    """The questions of cases, as far as the scope allows it."""
    keys = [key for key in map(uuid_or_none, ids) if key]
    found = cases_visible_to(scope).prefetch_related(None).filter(pk__in=keys)
    return {str(key): text for key, text in found.values_list("pk", "question")}


def answer_to_add(answer_id: str | UUID, *, admin: User) -> Message:
    """One's own answer, or another's who has given feedback on it. Raises AnswerNotFoundError for any other."""
    key = uuid_or_none(answer_id)
    theirs = Exists(Feedback.objects.filter(message=OuterRef("pk")))
    answers = Message.objects.filter(Q(conversation__owner=admin) | Q(theirs), role=Role.ANSWER)
    found = with_sources(answers).select_related("conversation").filter(pk=key).first() if key else None
    if found is None:
        raise AnswerNotFoundError(str(answer_id))
    return found


def case_from_answer(answer: Message, *, admin: User, scope: AccessScope, set_name: str) -> EvaluationCase:
    """The answer's question with its text, less its markers, as what is expected, and its sources as targets.

    `answer` is one of `chat.services.with_sources`, with its conversation. Added twice, it is there once. The question
    before it is kept only of one's own conversation: of another's, only what they showed is taken. Raises
    CaseRefusedError or SetNameError.
    """
    name = clean_set_name(set_name)
    is_whole = answer.role == Role.ANSWER and answer.state == AnswerState.FINISHED
    if not is_whole or answer.is_withdrawn_from(scope) or _cites_outside(answer, scope):
        raise CaseRefusedError(str(answer.pk))
    question = question_of(answer)
    before = history_before(question, scope=scope) if answer.conversation.owner_id == admin.pk else []
    drawn_from = {} if answer.refused else _documents_of(answer)
    with transaction.atomic():
        case, is_new = EvaluationCase.objects.get_or_create(
            question_set=name,
            origin=answer,
            defaults={
                "question": question.text,
                "earlier": before[-1].question if before else "",
                "expected": "" if answer.refused else without_markers(answer.text).strip(),
                "answerable": not answer.refused,
                "label": max([answer.conversation.label, *(each.effective_label for each in drawn_from.values())]),
                "created_by": admin,
            },
        )
        if is_new and not answer.refused:
            CaseSource.objects.bulk_create([CaseSource(case=case, document_id=key) for key in drawn_from])
            CaseTarget.objects.bulk_create(
                [CaseTarget(case=case, document_id=key, page=page) for key, page in _targets(answer)]
            )
    return case


def case_change(case: EvaluationCase, *, expected: str, answerable: bool) -> None:
    """Say better what is right. Its label and what it was drawn from stay.

    Where the answer was withdrawn, what is typed now is drawn from nothing that was deleted.
    """
    if case.is_withdrawn:
        case.sources.filter(DOCUMENT_IS_GONE).delete()
    case.expected = expected.replace("\x00", "").strip()
    case.answerable = answerable
    case.save(update_fields=["expected", "answerable"])


def case_delete(case: EvaluationCase) -> None:
    """Remove it with its targets. Runs over it keep what they measured, and nothing of its text."""
    case.delete()


def cases_forget() -> int:
    """Blank what is expected where it was drawn from what was deleted: deleted means gone, also from here."""
    cases = CaseSource.objects.filter(DOCUMENT_IS_GONE).values("case")
    return EvaluationCase.objects.filter(pk__in=cases).exclude(expected="").update(expected="")


def as_question_set(name: str, *, scope: AccessScope) -> QuestionSet:
    """The cases of a set that the reader may see, with the targets that they may find."""
    cases = list(cases_of(name, scope=scope))
    return QuestionSet(
        name=name,
        questions=tuple(_question(case) for case in cases),
        relevant={str(case.pk): {target.key: 1 for target in case.targets_within(scope)} for case in cases},
    )


def set_names(scope: AccessScope) -> list[str]:
    """The sets that have a case, the one that last got one first."""
    found = cases_visible_to(scope).prefetch_related(None).order_by().values("question_set")
    return list(found.annotate(last=Max("created_at")).order_by("-last").values_list("question_set", flat=True))


def as_folder(name: str, *, scope: AccessScope) -> Folder:
    """A set in the folder format. A target is 'collection/name', as its file would lie in `files/`."""
    found = as_question_set(name, scope=scope)
    names = _file_names(cases_of(name, scope=scope), scope=scope)
    queries: list[dict[str, object]] = []
    for each in found.questions:
        line: dict[str, object] = {"id": each.id, "text": each.text, "answers": list(each.answers)}
        line |= {"unanswerable": True} if each.unanswerable else {}
        line |= {"history": [turn.model_dump() for turn in each.history]} if each.history else {}
        queries.append(line)
    qrels = [
        (key, names[target.partition("#")[0]] + "".join(target.partition("#")[1:]), str(grade))
        for key, targets in found.relevant.items()
        for target, grade in targets.items()
    ]
    return Folder(queries=tuple(queries), qrels=(("query-id", "corpus-id", "score"), *qrels))


def clean_set_name(name: str) -> str:
    """As it is stored. Raises SetNameError."""
    cleaned = " ".join(name.replace("\x00", "").split())
    if not cleaned or len(cleaned) > NAME_LIMIT:
        raise SetNameError(f"{len(cleaned)} characters")
    return cleaned


def _file_names(cases: Iterable[EvaluationCase], *, scope: AccessScope) -> dict[str, str]:
    """By document id; two files of one name in a collection are told apart by a folder more."""
    documents = {target.document_id: target.document for case in cases for target in case.targets_within(scope)}
    named = {key: (_part(each.collection.name), _part(each.name)) for key, each in documents.items()}
    counts = Counter(named.values())
    return {
        str(key): "/".join((where, name) if counts[where, name] == 1 else (where, str(key), name))
        for key, (where, name) in named.items()
    }


def _part(name: str) -> str:
    return _NOT_IN_A_NAME.sub("-", name)


def _question(case: EvaluationCase) -> Question:
    expected = "" if case.is_withdrawn else case.expected
    return Question(
        id=str(case.pk),
        text=case.question,
        answers=(expected,) if expected else (),
        unanswerable=not case.answerable,
        history=(Turn(role="user", text=case.earlier),) if case.earlier else (),
    )


def _cites_outside(answer: Message, scope: AccessScope) -> bool:
    return not answer.refused and not all(each.is_within(scope) for each in answer.citations.all())


def _documents_of(answer: Message) -> dict[UUID, Document]:
    """Whatever the model read or the answer cites."""
    cited = {each.document_id for each in answer.citations.all()}
    read = {each.document_id for each in answer.readings.all() if each.document_id}
    return Document.objects.select_related("collection").in_bulk(cited | read)


def _targets(answer: Message) -> list[tuple[UUID, int | None]]:
    cited = [(each.document_id, each.page) for each in answer.citations.all() if not each.nearest]
    return list(dict.fromkeys(cited))
