"""A conversation with models, driven by hand: no loop, no model, no tool."""

from __future__ import annotations

from typing import Any

import pytest

from echelon.protocols.conversation import (
    AssistantMessage,
    Head,
    Prompt,
    Reply,
    Request,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from echelon.protocols.dialogue import FINAL, Ask, Note, RunTools, Terms, Turn, converse, judge, unfenced
from echelon.protocols.messages import Done, Failed, Failure, FailureKind, Usage
from echelon.protocols.shapes import Shape

from .builders import Number

NUMBER = Shape(Number)
TEXT: Shape[str] = Shape(str)


class Talk:
    """A conversation with a test in the place of the models."""

    def __init__(self, *, shape: Shape[Any] = NUMBER, models: int = 1, tools: str = "", turns: int = 16) -> None:
        terms = Terms(shape=shape, models=models, tools=frozenset(tools.split()), turns=turns)
        self._dialogue = converse(Prompt.of(Head(instructions="Do.")), [UserMessage(text="Hi")], terms)
        self.report: Done | Failed | None = None
        self.turn: Turn | None = next(self._dialogue)

    def say(self, answer: object = None) -> Turn | None:
        """Answer the turn; the next one, or None if the conversation is over."""
        try:
            self.turn = self._dialogue.send(answer)
        except StopIteration as end:
            self.report, self.turn = end.value, None
        return self.turn

    @property
    def asked(self) -> Request:
        """The request that a model is asked now."""
        assert isinstance(self.turn, Ask)
        return self.turn.request

    @property
    def failure(self) -> Failure:
        """Why it failed."""
        assert isinstance(self.report, Failed)
        return self.report.failure


def calls(*names: str, arguments: str = "{}") -> Reply:
    """Wish for tools."""
    wishes = [ToolCall(id=f"c{i}", name=name, arguments=arguments) for i, name in enumerate(names)]
    return Reply(tool_calls=tuple(wishes), finish="tool_calls")


def told(*texts: str) -> list[ToolMessage]:
    """Give the results of calls."""
    return [ToolMessage(call_id=f"c{i}", text=text) for i, text in enumerate(texts)]


def test_an_answer_of_the_right_shape_ends_the_conversation() -> None:
    """One question, one answer, one typed value."""
    talk = Talk()
    assert [message.role for message in talk.asked.messages] == ["user"]
    talk.say(Reply(text='{"n": 3}'))
    assert talk.report == Done(output=Number(n=3))


def test_plain_text_is_taken_as_it_is_said() -> None:
    """Where text is wanted, no JSON is."""
    talk = Talk(shape=TEXT)
    talk.say(Reply(text="three"))
    assert talk.report == Done(output="three")


def test_an_answer_that_does_not_fit_goes_back_once_with_what_is_wrong() -> None:
    """The complaint names every field, and what the framework wrote of it is counted."""
    talk = Talk()
    note = talk.say(Reply(text='{"n": "3", "m": 1}'))
    assert isinstance(note, Note)
    assert (note.failure.kind, note.reaction) == ("invalid_output", "repair")
    talk.say()
    answer, complaint = talk.asked.messages[1:]
    assert answer == AssistantMessage(text='{"n": "3", "m": 1}')
    assert isinstance(complaint, UserMessage)
    assert "/n: input should be a valid integer, found '3'; /m: extra" in complaint.text
    assert complaint.framework == len(complaint.text)
    talk.say(Reply(text='{"n": 3}'))
    assert talk.report == Done(output=Number(n=3))


def test_a_second_answer_that_does_not_fit_fails() -> None:
    """One repair per model."""
    talk = Talk()
    talk.say(Reply(text="no"))
    talk.say()
    talk.say(Reply(text="no again"))
    assert talk.failure.kind == "invalid_output"


def test_a_stronger_model_starts_from_before_the_failure() -> None:
    """It is not shown what a weaker one got wrong, and has a repair of its own."""
    talk = Talk(models=2)
    before = talk.asked
    for text in ("no", "no again"):
        talk.say(Reply(text=text))
        if isinstance(talk.turn, Note) and talk.turn.reaction == "repair":
            talk.say()
    assert isinstance(talk.turn, Note)
    assert (talk.turn.reaction, talk.turn.reason) == (
        "stronger_model", "model 2 of 2 starts from before the failure",
    )  # fmt: skip
    assert talk.say() == Ask(1, before)
    talk.say(Reply(text="no"))
    assert isinstance(talk.turn, Note)
    assert talk.turn.reaction == "repair"


def test_a_call_that_failed_for_good_goes_to_the_next_model_without_repair() -> None:
    """There is no answer to send back."""
    talk = Talk(models=2)
    note = talk.say(Failure(kind="quota", message="no money"))
    assert isinstance(note, Note)
    assert note.reaction == "stronger_model"
    talk.say()
    talk.say(Failure(kind="quota", message="none here"))
    assert talk.failure.message == "none here"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(refusal="I will not"), "refused"),
        (Reply(text='{"n": 3}', finish="content_filter"), "content_filter"),
        (Failure(kind="budget", message="no money"), "budget"),
    ],
)
def test_some_failures_no_other_model_is_asked_to_mend(reply: Reply | Failure, kind: FailureKind) -> None:
    """Asking again would be asking for something else."""
    talk = Talk(models=2)
    assert talk.say(reply) is None
    assert talk.failure.kind == kind
    assert kind in FINAL


@pytest.mark.parametrize(
    ("reply", "kind", "said", "messages"),
    [
        (Reply(text='{"n"', finish="length", usage=Usage(output=9)), "truncated", "shorter", 3),
        (Reply(finish="length"), "truncated", "shorter", 2),
        (Reply(text=" \n"), "empty", "Your answer was empty", 3),
        (Reply(), "empty", "Your answer was empty", 2),
    ],
)
def test_a_cut_or_empty_answer_is_asked_for_once_more(
    reply: Reply, kind: FailureKind, said: str, messages: int
) -> None:
    """Half an answer is never read; an empty message is not sent back, since servers refuse those."""
    talk = Talk()
    note = talk.say(reply)
    assert isinstance(note, Note)
    assert note.failure.kind == kind
    talk.say()
    assert said in talk.asked.messages[-1].text
    assert len(talk.asked.messages) == messages


def test_tools_are_run_together_and_told_in_the_order_of_the_calls() -> None:
    """The next question holds the wish and its results."""
    talk = Talk(tools="look find")
    turn = talk.say(calls("look", "find"))
    assert isinstance(turn, RunTools)
    assert [call.name for call in turn.calls] == ["look", "find"]
    talk.say(told("one", "two"))
    assert [message.role for message in talk.asked.messages] == ["user", "assistant", "tool", "tool"]
    talk.say(Reply(text='{"n": 3}'))
    assert isinstance(talk.report, Done)


def test_an_unknown_tool_is_answered_with_the_known_ones_beside_the_results_of_others() -> None:
    """Every call has its result, in the order of the calls, so that the history stays valid."""
    talk = Talk(tools="look find")
    note = talk.say(calls("lock", "find"))
    assert isinstance(note, Note)
    assert (note.failure.kind, note.reaction) == ("unknown_tool", "tell_model")
    assert note.failure.message == "no tool 'lock'; the tools are ['find', 'look']"
    run = talk.say()
    assert isinstance(run, RunTools)
    assert [call.name for call in run.calls] == ["find"]
    talk.say([ToolMessage(call_id="c1", text="found")])
    assert [message.text for message in talk.asked.messages[2:]] == [
        "error: there is no tool 'lock'; the tools are ['find', 'look']",
        "found",
    ]


def test_a_model_that_will_not_learn_which_tools_there_are_fails() -> None:
    """It is told twice."""
    talk = Talk(tools="find")
    for name in ("a", "b"):
        assert isinstance(talk.say(calls(name)), Note)
        assert isinstance(talk.say(), Ask)
    assert talk.say(calls("c")) is None
    assert talk.failure.kind == "unknown_tool"


def test_the_same_call_three_times_is_no_progress() -> None:
    """With the same arguments, in whatever company."""
    talk = Talk(tools="find look")
    for _ in range(2):
        talk.say(calls("find", "look", arguments='{"q": 1}'))
        talk.say(told("nothing", "nothing"))
    talk.say(calls("find", arguments='{"q": 1}'))
    assert talk.failure.kind == "no_progress"
    assert talk.failure.message == "tool 'find' was called 3 times with the same arguments {\"q\": 1}"


def test_other_arguments_are_another_call() -> None:
    """Paging through results is progress."""
    talk = Talk(tools="find")
    for page in range(5):
        assert isinstance(talk.say(calls("find", arguments=str(page))), RunTools)
        talk.say(told("more"))
    assert talk.report is None


def test_a_conversation_has_so_many_turns() -> None:
    """Then it is no progress, whatever was said."""
    talk = Talk(tools="find", turns=2)
    for page in range(2):
        talk.say(calls("find", arguments=str(page)))
        talk.say(told("more"))
    assert talk.failure.message == "no answer after 2 model calls"


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_tool_calls_of_a_cut_reply_are_not_run(finish: str) -> None:
    """They may be half of what the model meant to say."""
    talk = Talk(tools="pay")
    turn = talk.say(calls("pay").model_copy(update={"finish": finish}))
    assert not isinstance(turn, RunTools)
    refused = Talk(tools="pay")
    refused.say(calls("pay").model_copy(update={"refusal": "I would rather not"}))
    assert refused.failure.kind == "refused"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('```json\n{"n": 1}\n```', '{"n": 1}'),
        ('```\n{"n": 1}\n```\n', '{"n": 1}'),
        (' {"n": 1} ', '{"n": 1}'),
        ('```json {"n": 1}', '```json {"n": 1}'),
    ],
)
def test_a_fence_around_json_is_no_fault(text: str, plain: str) -> None:
    """Some models cannot help it."""
    assert unfenced(text) == plain
    assert isinstance(judge(Reply(text=text), NUMBER), Done) == (plain == '{"n": 1}')
