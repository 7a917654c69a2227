"""Follow-ups are asked as they are, with the question before, or as the model rewrites them."""

import pytest

from ragapp.evaluation.follow_ups import Asked, FollowUpCounts, FollowUps, as_asked, counts
from ragapp.evaluation.question_set import Question, Turn
from ragapp.gateway.base import ChatModel
from ragapp.gateway.scripted import ScriptedChat

EARLIER = "How many days of annual leave do staff get?"
HISTORY = (Turn(role="user", text=EARLIER), Turn(role="assistant", text="They get 25 days."))
FIRST = Question(id="first", text="Which form do trips abroad need?")
SHORT = Question(id="short", text="And part-timers?", history=HISTORY)
WHOLE = Question(id="whole", text="Which form must employees submit before trips abroad?", history=HISTORY)
QUESTIONS = (FIRST, SHORT, WHOLE)


def asked(how: FollowUps, model: ChatModel | None = None) -> dict[str, Asked]:
    return as_asked(QUESTIONS, how, model=model, cache_salt="rights", progress=lambda *_: None)


@pytest.mark.parametrize(("how", "earlier"), [(FollowUps.LAST, ""), (FollowUps.LEANING, EARLIER)])
def test_without_a_model_words_stay_as_they_are(how: FollowUps, earlier: str) -> None:
    assert asked(how) == {
        "first": Asked(FIRST.text), "short": Asked(SHORT.text, earlier), "whole": Asked(WHOLE.text, earlier),
    }  # fmt: skip


def test_what_points_back_is_rewritten_and_what_stands_alone_leans() -> None:
    model = ScriptedChat(["How many days of annual leave do part-timers get?"])
    found = asked(FollowUps.CONDENSED, model)
    assert (found["short"].text, found["short"].earlier) == ("How many days of annual leave do part-timers get?", "")
    assert found["whole"] == Asked(WHOLE.text, EARLIER)
    assert found["short"].condense_s is not None
    assert [request.cache_salt for request in model.requests] == ["rights"]
    assert counts(QUESTIONS, found) == FollowUpCounts(all=2, given=1, rewritten=1)


def test_words_that_are_not_believed_leave_the_follow_up_leaning() -> None:
    found = asked(FollowUps.CONDENSED, ScriptedChat(["Purple elephants sing quietly."]))
    assert (found["short"].text, found["short"].earlier) == (SHORT.text, EARLIER)
    assert counts(QUESTIONS, found) == FollowUpCounts(all=2, given=1, rewritten=0)
