"""The one seam at which the world is touched: done once, recorded, found again by its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest

from echelon.agents.models.scripted import ScriptedModel
from echelon.protocols.contracts import Calls, Effect, OnUnknown, Performed
from echelon.protocols.conversation import Delta, Head, Prompt, Request, UserMessage
from echelon.protocols.errors import DivergedError, EffectError, Pause
from echelon.protocols.events import AnswerRefused, Asked, Claimed, EffectFailed, EffectFinished, EffectStarted
from echelon.protocols.messages import NOTHING_USED, Answer, Budget, Failure, Question, Usage
from echelon.protocols.prices import Rates
from echelon.protocols.shapes import Shape
from echelon.supervisor.answers import history
from echelon.supervisor.clock import SystemClock
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.ledger import Account
from echelon.supervisor.log import Log
from echelon.supervisor.place import UNLIMITED, Desk, Place

from .builders import asking, of_type

pytestmark = pytest.mark.anyio
CENT = Usage(calls=1, usd=0.01)


class World:
    """Something to touch, that counts how often it was, and remembers the keys it was given."""

    def __init__(self, result: object = "done", usage: Usage = NOTHING_USED) -> None:
        self.keys: list[str] = []
        self.result = result
        self.usage = usage

    async def __call__(self, key: str) -> Performed[Any]:
        """Touch it."""
        self.keys.append(key)
        if isinstance(self.result, Exception):
            raise self.result
        return Performed(value=self.result, usage=self.usage)


def touch(do: Callable[[str], Awaitable[Performed[Any]]], **rules: Any) -> Effect[Any]:
    """Make an effect."""
    whole: dict[str, Any] = {"kind": "tool:touch", "request": {"a": 1}, "digest": "d", "do": do} | rules
    return Effect(**whole)


class Drive:
    """A drive of a run at its root, and the next ones after it."""

    def __init__(self, store: MemoryJournal | None = None, budget: Budget | None = None) -> None:
        self.store = store or MemoryJournal()
        self.heard: list[object] = []
        self.log = Log("run-1", self.store, SystemClock(), self.heard.append)
        self.budget = budget or Budget()

    @property
    def root(self) -> Place:
        """Stand at the root."""
        account = Account("", self.budget, None, self.log.spent.get("", NOTHING_USED))
        desk = Desk(self.log, SystemClock(), Calls(tries=1))
        return Place(desk, "", self.budget, account, (), frozenset({"web"}))

    async def again(self, *, lost: int = 0) -> Drive:
        """Drive once more, over a journal without its last lines, as a crash may leave it."""
        await self.log.flush()
        store = MemoryJournal()
        records = list(await self.store.read("run-1"))
        kept = records[: len(records) - lost]
        if kept:
            await store.append(kept, "running")
        other = Drive(store, self.budget)
        if kept:
            other.log.load(await history(store, "run-1"), kept[-1])
        return other


async def begun() -> Drive:
    """Begin a run."""
    drive = Drive()
    drive.log.write(Claimed(owner="me"))
    return drive


async def test_an_effect_is_done_once_and_found_again() -> None:
    """The second drive takes the recorded result."""
    world, drive = World({"x": 1}), await begun()
    assert await drive.root.perform(touch(world)) == {"x": 1}
    second = await drive.again()
    assert await second.root.perform(touch(world)) == {"x": 1}
    assert len(world.keys) == 1


async def test_a_failure_is_found_again_as_well() -> None:
    """With what it cost; nothing is tried again behind the supervisor's back."""
    failure = Failure(kind="tool_failed", message="it broke")
    world, drive = World(EffectError(failure, CENT)), await begun()
    for one in (drive, None):
        place = (one or await drive.again()).root
        with pytest.raises(EffectError) as caught:
            await place.perform(touch(world))
        assert (caught.value.failure, caught.value.usage) == (failure, CENT)
    assert len(world.keys) == 1
    assert of_type([entry.event for entry in drive.log.entries], EffectFailed)[0].usage == CENT


async def test_effects_are_numbered_by_their_place_and_kind() -> None:
    """Not by time: concurrent ones may bring a number of their own."""
    drive = await begun()
    root = drive.root
    for kind, n in (("a", None), ("a", None), ("b", None), ("c", 5)):
        await root.perform(touch(World(), kind=kind, n=n))
    started = of_type([entry.event for entry in drive.log.entries], EffectStarted)
    assert [(event.kind, event.n) for event in started] == [("a", 0), ("a", 1), ("b", 0), ("c", 5)]


async def test_another_request_at_the_same_place_is_a_divergence() -> None:
    """The code in between is not deterministic; the error names both requests."""
    drive = await begun()
    await drive.root.within("a#1").perform(touch(World(), digest="1" * 64))
    second = await drive.again()
    with pytest.raises(DivergedError) as caught:
        await second.root.within("a#1").perform(touch(World(), digest="2" * 64))
    assert str(caught.value) == (
        "/a#1 tool:touch 0: the journal holds request 111111111111, this drive made 222222222222"
    )


async def test_a_read_that_was_cut_off_is_done_again() -> None:
    """It changes nothing; what the first start may have cost stays on the bill."""
    world, drive = World(usage=CENT), await begun()
    effect = touch(world, worst=Usage(calls=1, usd=0.05))
    await drive.root.perform(effect)
    second = await drive.again(lost=1)
    assert second.root.spent == Usage(calls=1, usd=0.05, usd_assumed=0.05)
    place = second.root
    await place.perform(effect)
    assert place.spent == Usage(calls=2, usd=0.06, usd_assumed=0.05)
    third = await second.again()
    assert third.root.spent == place.spent
    assert len(world.keys) == 2


@pytest.mark.parametrize(("rule", "times"), [("retry", 2), ("fail", 1), ("ask", 1)])
async def test_a_write_that_was_cut_off_is_never_blindly_done_again(rule: OnUnknown, times: int) -> None:
    """Its author says whether that is safe; otherwise it fails, or a person is asked."""
    world, drive = World(), await begun()
    effect = touch(world, writes=True, on_unknown=rule)
    await drive.root.perform(effect)
    second = await drive.again(lost=1)
    if rule == "retry":
        assert await second.root.perform(effect) == "done"
        assert world.keys[0] == world.keys[1] != ""
    elif rule == "fail":
        with pytest.raises(EffectError, match="nobody knows whether it was done"):
            await second.root.perform(effect)
    else:
        with pytest.raises(Pause) as caught:
            await second.root.perform(effect)
        (question,) = caught.value.questions
        assert (question.asks, question.of) == ("in_doubt", "operator")
        assert question.prompt == "tool:touch was started before a crash. Was it done?"
    assert len(world.keys) == times


@pytest.mark.parametrize("was_done", [True, False])
async def test_a_person_says_whether_a_write_was_done(*, was_done: bool) -> None:
    """Yes: what the person says it gave is its result. No: it is done again."""
    world, drive = World(), await begun()
    effect = touch(world, writes=True)
    await drive.root.perform(effect)
    second = await drive.again(lost=1)
    with pytest.raises(Pause) as caught:
        await second.root.perform(effect)
    (question,) = caught.value.questions
    answered(second, question, approved=was_done, value="receipt 7")
    assert await second.root.perform(effect) == ("receipt 7" if was_done else "done")
    assert len(world.keys) == (1 if was_done else 2)
    third = await second.again()
    assert await third.root.perform(effect) == ("receipt 7" if was_done else "done")
    assert len(world.keys) == (1 if was_done else 2)


async def test_what_a_person_says_a_write_gave_must_have_its_shape() -> None:
    """Else the answer is refused, and the question asked anew."""
    world, drive = World(), await begun()
    effect = replace(touch(world, writes=True), shape=Shape(str))
    await drive.root.perform(effect)
    second = await drive.again(lost=1)
    with pytest.raises(Pause) as caught:
        await second.root.perform(effect)
    answered(second, caught.value.questions[0], approved=True, value=7)
    third = await second.again()
    answered(third, caught.value.questions[0], approved=True, value=7)
    with pytest.raises(Pause) as asked_anew:
        await third.root.perform(effect)
    assert asked_anew.value.questions[0].id != caught.value.questions[0].id
    assert len(world.keys) == 1


def answered(drive: Drive, question: Question, *, approved: bool, value: object = None, digest: str = "") -> None:
    """Give a person's answer."""
    drive.log.answers[question.id] = Answer(
        question=question.id, digest=digest or question.digest, approved=approved, value=value, by="eva"
    )


async def test_a_write_is_done_once_across_attempts() -> None:
    """A retried step that comes to the same write finds its result; another request is another write."""
    world, drive = World("paid"), await begun()
    root = drive.root
    effect = touch(world, writes=True)
    assert await root.within("pay#1").perform(effect) == "paid"
    assert await root.within("pay#2").perform(effect) == "paid"
    assert len(world.keys) == 1
    await root.within("pay#3").perform(replace(effect, digest="other"))
    await root.within("refund#1").perform(effect)
    assert len(set(world.keys)) == 3
    assert root.within("pay#2").history == ()


async def test_a_write_is_durable_before_it_is_done() -> None:
    """Otherwise a crash in the middle would leave no trace of it."""
    drive = await begun()
    seen: list[int] = []

    async def look(_: str) -> Performed[None]:
        seen.append(len(await drive.store.read("run-1")))
        return Performed(value=None)

    await drive.root.perform(touch(look, writes=True))
    assert seen == [2]


async def test_a_write_under_way_is_not_cut_off_by_a_cancellation() -> None:
    """It ends, and its end is recorded."""
    drive = await begun()
    inside, goes_on = anyio.Event(), anyio.Event()

    async def slow(_: str) -> Performed[str]:
        inside.set()
        await goes_on.wait()
        return Performed(value="done")

    async with anyio.create_task_group() as group:
        group.start_soon(drive.root.perform, touch(slow, writes=True))
        await inside.wait()
        group.cancel_scope.cancel()
        goes_on.set()
    assert of_type([entry.event for entry in drive.log.entries], EffectFinished)[0].result == "done"


async def test_what_is_given_is_decoded_from_what_is_kept() -> None:
    """A typed result comes back typed."""
    drive = await begun()
    effect = touch(World({1, 2}), encode=sorted, decode=set)
    assert await drive.root.perform(effect) == {1, 2}
    assert await (await drive.again()).root.perform(effect) == {1, 2}


async def test_the_worst_case_is_reserved_and_what_it_cost_is_booked() -> None:
    """Here and at every place above; an effect that no budget allows is not done."""
    world, drive = World(usage=CENT), Drive(budget=Budget(usd=0.05))
    root = drive.root
    here = root.within("a#1", budget=Budget(usd=0.02))
    await here.perform(touch(world, worst=Usage(calls=1, usd=0.02)))
    assert here.spent == root.spent == CENT
    with pytest.raises(EffectError, match=r"/a#1 may spend \$0.020000, has spent \$0.010000"):
        await here.perform(touch(world, worst=Usage(calls=1, usd=0.02)))
    assert len(world.keys) == 1
    assert here.budget.usd == 0.02


async def test_a_defect_in_the_world_is_booked_in_full() -> None:
    """Nobody knows what it cost before it broke."""
    drive = Drive(budget=Budget(usd=1.0))
    root = drive.root
    with pytest.raises(ZeroDivisionError):
        await root.perform(touch(World(ZeroDivisionError()), worst=CENT))
    assert root.spent == CENT


async def test_time_and_chance_are_journalled() -> None:
    """A resumed run sees the same."""
    drive = await begun()
    root = drive.root
    seen = [await root.now(), await root.now(), await root.random(), await root.random()]
    again = (await drive.again()).root
    assert [await again.now(), await again.now(), await again.random(), await again.random()] == seen
    assert 0 <= seen[2] < 1


async def test_a_question_is_asked_once_and_bound_to_its_subject() -> None:
    """The same question at every drive and attempt; another subject is another question."""
    drive = await begun()
    ids: list[str] = []
    for path, subject in (("a#1", 1), ("a#2", 1), ("a#1", 2), ("b#1", 1)):
        with pytest.raises(Pause) as caught:
            await drive.root.within(path).ask("eva", "May I?", {"n": subject}, "approval", Shape(object))
        ids += [question.id for question in caught.value.questions]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    asked = of_type([entry.event for entry in drive.log.entries], Asked)
    assert len(asked) == 3
    assert asked[0].question.labels == {"web"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"approved": True, "digest": "other"}, "it answers another subject than the one asked about"),
        ({"approved": True, "value": "seven"}, "expected int: input should be a valid integer, found 'seven'"),
    ],
)
async def test_an_answer_that_cannot_be_taken_is_refused_and_asked_for_again(given: dict[str, Any], said: str) -> None:
    """As a new question, so that a new answer is possible."""
    drive = await begun()

    async def ask() -> Answer:
        return await drive.root.ask("eva", "How many?", "eggs", "report", Shape(int))

    with pytest.raises(Pause) as first:
        await ask()
    answered(drive, first.value.questions[0], **given)
    with pytest.raises(Pause) as second:
        await ask()
    assert second.value.questions[0].id != first.value.questions[0].id
    assert of_type([entry.event for entry in drive.log.entries], AnswerRefused)[0].reason == said
    with pytest.raises(Pause) as third:
        await ask()
    assert third.value.questions == second.value.questions
    answered(drive, second.value.questions[0], approved=True, value=7)
    assert (await ask()).value == 7


async def test_somebody_who_will_not_do_it_needs_no_value() -> None:
    """A no has no shape."""
    drive = await begun()
    with pytest.raises(Pause) as caught:
        await drive.root.ask("eva", "How many?", "eggs", "report", Shape(int))
    answered(drive, caught.value.questions[0], approved=False)
    assert not (await drive.root.ask("eva", "How many?", "eggs", "report", Shape(int))).approved


async def test_a_reply_is_an_effect_and_keeps_its_head_once() -> None:
    """Of a conversation only what is new is kept; text is told to whoever listens, word by word."""
    drive = await begun()
    model = ScriptedModel(["one two", "three"], price=Rates(input=1.0, output=1.0))
    prompt = Prompt.of(Head(instructions="Do."))
    first = Request.begin(prompt, UserMessage(text="a"))
    here = drive.root.within("a#1")
    assert (await here.reply(model, first)).text == "one two"
    await here.reply(model, first.then(UserMessage(text="b")))
    requests = [event.request for event in of_type([e.event for e in drive.log.entries], EffectStarted)]
    assert ["head" in request for request in requests] == [True, False]
    assert [message["text"] for message in requests[1]["messages"]] == ["b"]
    assert of_type(drive.heard, Delta) == [Delta("/a#1", "one "), Delta("/a#1", "two"), Delta("/a#1", "three")]
    again = (await drive.again()).root.within("a#1")
    assert (await again.reply(model, first)).text == "one two"
    assert len(model.seen) == 2
    assert again.spent == here.spent


async def test_a_run_without_a_listener_streams_to_nobody() -> None:
    """Models are not asked to stream for nothing."""
    drive = await begun()
    drive.log.listen = None
    assert (await drive.root.reply(ScriptedModel(["fine"]), asking())).text == "fine"


async def test_places_below_inherit_models_labels_and_the_narrower_budget() -> None:
    """A place of its own may bring its own."""
    model, other = ScriptedModel([]), ScriptedModel([])
    root = Drive(budget=Budget(usd=1.0, rounds=3)).root
    here = root.within("a#1", budget=Budget(usd=5.0, rounds=1), models=[model], labels=frozenset({"pii"}))
    below = here.within("b#1")
    assert (here.budget.usd, here.budget.rounds, list(below.models)) == (1.0, 1, [model])
    assert below.labels == {"web", "pii"}
    assert list(here.within("c#1", models=[other]).models) == [other]
    assert (here.within("").path, UNLIMITED.calls, below.run) == ("/a#1", None, "run-1")
