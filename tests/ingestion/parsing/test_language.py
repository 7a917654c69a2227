"""The language of a text, or none where it cannot be told."""

import pytest

from ingestion.parsing.language import language_of

SENTENCES = {
    "en": "Everybody has thirty days of leave in a year.",
    "de": "Der Antrag auf Urlaub ist zwei Wochen vorher bei der Vorgesetzten zu stellen.",
    "fr": "La demande de congé doit être présentée au moins deux semaines à l'avance.",
    "es": "Los empleados deben presentar la solicitud de vacaciones con dos semanas de antelación.",
    "it": "I dipendenti devono presentare la richiesta di ferie con due settimane di anticipo.",
    "ru": "Заявление на отпуск подаётся руководителю не позднее чем за две недели.",
    "ar": "يجب على الموظفين تقديم طلب الإجازة قبل أسبوعين على الأقل.",
    "he": "על העובדים להגיש בקשה לחופשה לפחות שבועיים מראש.",
    "zh": "员工必须至少提前两周向主管提交休假申请。",
    "ja": "従業員は少なくとも二週間前に上司に休暇申請を提出しなければなりません。",
    "no": "Ansatte må levere søknad om ferie minst to uker i forveien til sin leder.",
}


@pytest.mark.parametrize(("code", "sentence"), SENTENCES.items())
def test_a_sentence_tells_its_language(code: str, sentence: str) -> None:
    assert language_of(sentence) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "Invoice 4711",
        "| 12 | 34.5 |\n| 2023-01-04 | 99.1 |",
        "https://example.com/a/b?c=d " * 20,
        "x" * 5000,
    ],
)
def test_what_tells_nothing_has_no_language(text: str) -> None:
    assert language_of(text) == ""


def test_addresses_and_numbers_do_not_count() -> None:
    assert language_of(f"{SENTENCES['de']} https://example.com/the/english/words/of/this/address 4711") == "de"


def test_the_same_text_has_the_same_language_every_time() -> None:
    text = "Total Betrag amount montant importe"
    assert len({language_of(text) for _ in range(5)}) == 1
