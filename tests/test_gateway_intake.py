"""A chat with a team that has a typed task: what is read as it stands, filled in by a model, or asked for."""

from __future__ import annotations

import datetime
import json
from typing import Any, Literal

import anyio
import pytest

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.protocols.contracts import Worker
from echelon.protocols.errors import ShapeError
from echelon.protocols.events import Delegated, EffectStarted, Reported, RunStarted
from echelon.protocols.gateway.conversation import Attachment, Conversation, Said
from echelon.protocols.gateway.intake import as_json_text, fields_in, task_in, text_of, value_in
from echelon.protocols.gateway.runs import Order, Seen, Standing
from echelon.protocols.messages import Answer, Done, Failed, Json, Message
from echelon.protocols.shapes import Shape
from echelon.supervisor.drive import Settings
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.intake import MOST_QUESTIONS, by_hand, wanted
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import history
from echelon.supervisor.supervisor import Supervisor
from echelon.supervisor.views.route import route
from echelon.supervisor.views.staff import posts

from .builders import kinds, of_type


class Payment(Message):
    """What is to be paid."""

    iban: str
    cents: int
    urgent: bool = False


class Note(Message):
    """What one text makes whole."""

    text: str
    loud: bool = False


def chat(*texts: str) -> Conversation:
    """Take turns, the user first."""
    roles = ("user", "assistant")
    return Conversation.model_validate({"turns": [{"role": roles[i % 2], "text": t} for i, t in enumerate(texts)]})


CURLED = "{<iban>: <DE02>, <cents>: 5}".replace("<", "\N{LEFT DOUBLE QUOTATION MARK}").replace(
    ">", "\N{RIGHT DOUBLE QUOTATION MARK}"
)
"""As an editor makes it of straight quotes."""


@worker
async def pay(payment: Payment) -> str:
    """Pays."""
    return f"paid {payment.cents} to {payment.iban}" + (" at once" if payment.urgent else "")


@worker
async def repeat(text: str) -> str:
    """Says it again."""
    return text


@worker
async def count(conversation: Conversation) -> int:
    """Counts what was said."""
    return len(conversation.turns)


WHOLE: list[tuple[str, Any, Any]] = [
    ('{"iban": "DE02", "cents": 5}', Payment, Payment(iban="DE02", cents=5)),
    ('```json\n{"iban": "DE02", "cents": 5}\n```', Payment, Payment(iban="DE02", cents=5)),
    ("[1, 2]", list[int], [1, 2]),
    ("12", int, 12),
    ("2026-02-03", datetime.date, datetime.date(2026, 2, 3)),
    ("fast", Literal["fast", "safe"], "fast"),
    ("Hello", str, "Hello"),
    ("12", str, "12"),
]


@pytest.mark.parametrize(("text", "kind", "task"), WHOLE)
def test_a_task_that_stands_in_the_last_message_is_taken_as_it_is(text: str, kind: Any, task: Any) -> None:
    """JSON of the type, fenced or not, or text that is of the type."""
    assert task_in(chat(text), Shape(kind)) == task


@pytest.mark.parametrize("text", ['{"iban": "DE02"}', '{"iban": "DE02", "cents": "5"}', "please pay", "", "null"])
def test_what_does_not_fit_is_no_task(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ShapeError):
        task_in(chat(text), Shape(Payment))


def test_an_attached_file_may_be_the_task() -> None:
    """If the message itself is not."""
    file = Attachment(name="p.json", text='{"iban": "DE02", "cents": 5}')
    said = Said(role="user", text="please", attachments=(file,))
    assert task_in(Conversation(turns=(said,)), Shape(Payment)) == Payment(iban="DE02", cents=5)
    assert text_of(Conversation(turns=(said,))).startswith("please\n\n--- p.json ---\n{")


def test_a_team_for_text_is_told_what_was_said_before_within_bounds() -> None:
    """The last turns, the last characters; the system prompt is the assistant's own affair."""
    assert text_of(chat("a", "b", "c")) == "Said before:\nuser: a\nassistant: b\n\nc"
    assert text_of(chat(*("x" for _ in range(41)))).count("x") == 21
    long = text_of(chat("y" * 9_000, "z" * 9_000, "c"))
    assert (long.count("y"), long.count("z"), long.endswith("\n\nc")) == (0, 8_000, True)
    system = Said(role="system", text="Be brief.")
    assert text_of(Conversation(turns=(system, *chat("a").turns))) == "a"


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("iban: DE02\ncents: 5", {"iban": "DE02", "cents": 5}),
        ("Here:\n* **IBAN**: DE02\n- Cents = 5\n- urgent: yes", {"iban": "DE02", "cents": 5, "urgent": True}),
        ("iban: DE02\nBank: X\ncents: 5", {"iban": "DE02\nBank: X", "cents": 5}),
        ("iban: 007", {"iban": "007"}),
        ("cents: five", {"cents": "five"}),
        ("see https://x.example: now", {}),
        ("", {}),
    ],
)
def test_fields_are_read_line_by_line(text: str, fields: dict[str, Json]) -> None:
    """Text stays text; what does not fit is kept, so that the complaint can show it."""
    assert fields_in(text, Shape(Payment).input_schema) == fields


def test_a_value_for_a_nested_type_is_read_through_its_references() -> None:
    """Schemas refer to others."""

    class Outer(Message):
        inner: Note
        when: datetime.date | None = None

    schema = Shape(Outer).input_schema
    assert fields_in('inner: {"text": "x"}\nwhen: null', schema) == {"inner": {"text": "x"}, "when": None}
    assert fields_in("when: 2026-02-03", schema) == {"when": "2026-02-03"}
    assert value_in('{"inner": {"text": "x"}}', schema) == {"inner": {"text": "x"}}


def test_without_a_model_fields_add_up_over_turns_and_later_ones_win() -> None:
    """By lines or JSON, whichever the user likes."""
    found = by_hand(chat("iban: DE01\ncents: 5", "?", '{"iban": "DE02"}').turns, Shape(Payment))
    assert found == Done(output=Payment(iban="DE02", cents=5))
    assert by_hand(chat("it is cold").turns, Shape(Note)) == Done(output=Note(text="it is cold"))
    assert by_hand(chat("loud: yes").turns, Shape(Note)) == wanted(Shape(Note), ["/text: field required"])
    assert by_hand(chat("many").turns, Shape(int)) == (
        "That does not fit yet:\n- input should be a valid integer, found 'many'\n\n"
        "I need a value: integer. Answer with JSON."
    )


def test_a_question_names_every_field_with_its_type() -> None:
    """And which may be left out."""
    assert by_hand(chat("please pay").turns, Shape(Payment)) == (
        "I need:\n- iban: string\n- cents: integer\n- urgent: boolean (may be left out)\n\n"
        "Answer with one `field: value` per line, or with JSON."
    )


class Talk:
    """A chat with one team on a host of its own."""

    def __init__(self, team: Worker[Any, Any], *models: ScriptedModel, store: MemoryJournal | None = None) -> None:
        self.store = store or MemoryJournal()
        settings = Settings(models=models)
        limits = Limits(drain=0.0, listen=None)
        self.host = Host({team.card.name: team}, self.store, settings, limits)
        self._team = team.card.name

    async def begin(self, *texts: str) -> str:
        """Say something new."""
        order = Order(team=self._team, task=chat(*texts), principal="ada", surface="chat")
        return await self.host.begin(order)

    async def rested(self, run: str) -> Standing:
        """How it stands when it rests."""
        with anyio.fail_after(5):
            async with self.host.watch(run) as told:
                async for _ in told:
                    pass
        return await self.host.standing(run)

    async def reply(self, run: str, text: str, *, approved: bool = True) -> Standing:
        """Answer the only question."""
        (question,) = (await self.host.standing(run)).questions
        value = text if approved else None
        await self.host.answer(run, question.id, approved=approved, by="ada", value=value)
        return await self.rested(run)

    async def events(self, run: str) -> list[Seen]:
        """What happened."""
        return list(await self.host.events(run))


def prompt_of(stands: Standing) -> str:
    """What the user is asked."""
    (question,) = stands.questions
    assert (question.of, question.asks, question.answer_schema) == ("user", "report", {"type": "string"})
    return question.prompt


@pytest.mark.anyio
async def test_a_team_that_accepts_conversations_gets_all_that_was_said() -> None:
    """As it is, with nobody in between."""
    talk = Talk(count)
    async with talk.host:
        run = await talk.begin("one", "two", "three")
        assert (await talk.rested(run)).report == Done(output=3)
        assert of_type([one.event for one in await talk.events(run)], RunStarted)[0].worker == "count"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("team", "text", "output"),
    [(repeat, "Hello", "Hello"), (pay, '{"iban": "DE02", "cents": 5}', "paid 5 to DE02")],
)
async def test_a_task_that_needs_no_asking_goes_to_the_team_alone(team: Any, text: str, output: str) -> None:
    """Its journal is that of any other run of the team."""
    talk = Talk(team)
    async with talk.host:
        run = await talk.begin(text)
        assert (await talk.rested(run)).report == Done(output=output)
        assert kinds([one.event for one in await talk.events(run)]) == ["run_started", "claimed", "run_ended"]


@pytest.mark.anyio
async def test_what_is_missing_is_asked_for_by_name_and_survives_a_restart() -> None:
    """Until the task is whole; it is a wait like any other."""
    talk = Talk(pay)
    async with talk.host:
        run = await talk.begin("please pay the plumber")
        assert prompt_of(await talk.rested(run)).startswith("I need:\n- iban: string")
        stands = await talk.reply(run, "iban: DE02")
        assert prompt_of(stands).startswith("That does not fit yet:\n- /cents: field required")
    talk = Talk(pay, store=talk.store)
    async with talk.host:
        stands = await talk.reply(run, "cents: 5\nurgent: yes")
        assert stands.report == Done(output="paid 5 to DE02 at once")
        assert stands.team == "pay"
        entries = await talk.events(run)
    handed = of_type([one.event for one in entries], Delegated)
    assert [(one.worker, one.payload) for one in handed] == [("pay", {"iban": "DE02", "cents": 5, "urgent": True})]


@pytest.mark.anyio
@pytest.mark.parametrize("has_model", [False, True])
async def test_what_was_ordered_before_is_not_ordered_again(has_model: bool) -> None:  # noqa: FBT001 - either way
    """Thanks for a payment are no payment: earlier turns are context."""
    model = ScriptedModel([{"task": None, "question": "What is to be paid?"}])
    talk = Talk(pay, *([model] if has_model else []))
    async with talk.host:
        run = await talk.begin('{"iban": "DE02", "cents": 5}', "paid 5 to DE02", "thanks")
        assert prompt_of(await talk.rested(run)).startswith("What is" if has_model else "I need:")
    if has_model:
        told = json.loads(model.seen[0].messages[0].text)
        assert told["request"] == [{"role": "user", "text": "thanks"}]
        assert [one["text"] for one in told["earlier"]] == ['{"iban": "DE02", "cents": 5}', "paid 5 to DE02"]


@pytest.mark.anyio
async def test_a_model_fills_the_task_in_or_says_what_to_ask() -> None:
    """It is told the whole conversation each time; what is recorded is not asked again."""
    model = ScriptedModel(
        [
            {"task": None, "question": "Which account, and how much?"},
            {"task": {"iban": "DE02", "cents": 500, "urgent": False}, "question": ""},
        ]
    )
    talk = Talk(pay, model)
    async with talk.host:
        run = await talk.begin("please pay the plumber")
        assert prompt_of(await talk.rested(run)) == "Which account, and how much?"
        stands = await talk.reply(run, "DE02, five euros")
        assert isinstance(stands.report, Done)
        assert stands.report.output == "paid 500 to DE02"
    assert len(model.seen) == 2
    said = model.seen[-1].messages[0].text
    assert all(text in said for text in ("please pay the plumber", "Which account, and how much?", "DE02, five euros"))
    assert "never make a value up" in model.seen[0].prompt.head.instructions
    assert "Pays." in model.seen[0].prompt.head.instructions


@pytest.mark.anyio
async def test_an_answer_that_is_the_task_needs_no_model() -> None:
    """It is read before a model is asked again."""
    model = ScriptedModel([{"task": None, "question": "How much?"}])
    talk = Talk(pay, model)
    async with talk.host:
        run = await talk.begin("please pay")
        await talk.rested(run)
        stands = await talk.reply(run, '{"iban": "DE02", "cents": 5}')
        assert isinstance(stands.report, Done)
        assert len(model.seen) == 1


@pytest.mark.anyio
async def test_a_model_that_says_nothing_of_use_leads_to_the_plain_question() -> None:
    """And one that asks although it has the task is heard."""
    model = ScriptedModel(
        [
            {"task": None, "question": " "},
            {"task": {"iban": "X", "cents": 1, "urgent": False}, "question": "Is it X?"},
        ]
    )
    talk = Talk(pay, model)
    async with talk.host:
        run = await talk.begin("please pay")
        assert prompt_of(await talk.rested(run)).startswith("I need:")
        assert prompt_of(await talk.reply(run, "to X")) == "Is it X?"


@pytest.mark.anyio
async def test_a_model_that_fails_ends_the_run_with_its_failure() -> None:
    """Typed, after the one repair."""
    talk = Talk(pay, ScriptedModel(["{", '{"task": 7, "question": ""}']))
    async with talk.host:
        stands = await talk.rested(await talk.begin("please pay"))
    assert isinstance(stands.report, Failed)
    assert stands.report.failure.kind == "invalid_output"


@pytest.mark.anyio
async def test_the_models_of_a_team_fill_its_task_in() -> None:
    """Where the server has none."""
    model = ScriptedModel([{"task": {"iban": "DE02", "cents": 5, "urgent": False}, "question": ""}])
    flow = Workflow(Payment, str)
    flow.output(flow.step(pay, flow.task))
    team = Supervisor("desk", accepts=Payment, returns=str, team=[pay], planner=flow, models=[model])
    talk = Talk(team)
    async with talk.host:
        run = await talk.begin("pay 5 cents to DE02")
        stands = await talk.rested(run)
        assert isinstance(stands.report, Done)
        assert stands.report.output == "paid 5 to DE02"
        events = [one.event for one in await talk.events(run)]
    assert [start.path for start in of_type(events, EffectStarted)] == ["/intake#1"]
    assert posts(events)["/desk#1/pay#1"].who == "desk/pay"


@pytest.mark.anyio
async def test_a_person_in_the_team_is_asked_after_the_intake() -> None:
    """Each question is a wait of the same run; the team is handed the task once."""
    boss: Person[Payment, Answer] = Person("boss", "May it be?", accepts=Payment, returns=Answer)
    talk = Talk(boss)
    async with talk.host:
        run = await talk.begin("please pay")
        await talk.rested(run)
        stands = await talk.reply(run, "iban: DE02\ncents: 5")
        (question,) = stands.questions
        assert (question.of, question.subject) == ("boss", {"iban": "DE02", "cents": 5, "urgent": False})
        await talk.host.answer(run, question.id, approved=True, by="ada")
        assert (await talk.rested(run)).status == "done"
        entries = await talk.events(run)
    events = [one.event for one in entries]
    assert len(of_type(events, Delegated)) == 1
    assert len(of_type(events, Reported)) == 1
    legs = route(await history(talk.store, run))
    assert [(leg.worker, leg.status) for leg in legs] == [("boss", "done")]


@pytest.mark.anyio
async def test_who_will_not_say_more_ends_the_run_and_so_do_too_many_questions() -> None:
    """A person is not asked for ever."""
    talk = Talk(pay)
    async with talk.host:
        run = await talk.begin("please pay")
        await talk.rested(run)
        stands = await talk.reply(run, "", approved=False)
        assert isinstance(stands.report, Failed)
        assert stands.report.failure.kind == "denied"
        run = await talk.begin("please pay")
        stands = await talk.rested(run)
        for _ in range(MOST_QUESTIONS):
            assert stands.status == "waiting"
            stands = await talk.reply(run, "hm")
        assert isinstance(stands.report, Failed)
        assert stands.report.failure.message == f"the task of pay was not whole after {MOST_QUESTIONS} questions"


@pytest.mark.anyio
async def test_an_agent_for_conversations_is_told_them_as_json() -> None:
    """A model-backed team of one needs nothing else to be talked to."""
    model = ScriptedModel(["fine"])
    agent = Agent("host", "Talk.", accepts=Conversation, returns=str, models=[model])
    talk = Talk(agent)
    async with talk.host:
        stands = await talk.rested(await talk.begin("hi"))
    assert isinstance(stands.report, Done)
    assert '"text":"hi"' in model.seen[0].messages[0].text


def test_json_is_read_with_the_quotes_that_an_editor_made_of_straight_ones() -> None:
    """Those within its strings stay as they are, and so does what is no JSON either way."""
    assert task_in(chat(CURLED), Shape(Payment)) == Payment(iban="DE02", cents=5)
    assert by_hand(chat(CURLED.replace(": 5", ": 6")).turns, Shape(Payment)) == Done(
        output=Payment(iban="DE02", cents=6)
    )
    straight = '{"iban": "\N{LEFT DOUBLE QUOTATION MARK}", "cents": 5}'
    assert task_in(chat(straight), Shape(Payment)).iban == "\N{LEFT DOUBLE QUOTATION MARK}"
    assert as_json_text(f"Pay {CURLED}") == f"Pay {CURLED}"
