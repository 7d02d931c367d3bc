"""A run as a client sees it: legs, progress, text, speech, and the response that each leg is; all of it pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response
from pydantic_core import from_json

from echelon.protocols.conversation import Delta
from echelon.protocols.errors import (
    AnswerError,
    CrowdedError,
    EchelonError,
    JournalError,
    OutcomeError,
    ShapeError,
    UnknownRunError,
    UsageError,
)
from echelon.protocols.events import (
    Answered,
    Asked,
    Attempted,
    Cancelled,
    Claimed,
    Delegated,
    EffectFinished,
    Ended,
    Event,
    Parked,
    PlanFailed,
    Planned,
    PlanRefused,
    Reacted,
    Reported,
    Reviewed,
    Revising,
    RunEnded,
    RunStarted,
    StepSkipped,
)
from echelon.protocols.gateway.conversation import Said
from echelon.protocols.gateway.legs import Leg, legs_of
from echelon.protocols.gateway.openai.endings import ending_of
from echelon.protocols.gateway.openai.errors import refused_by
from echelon.protocols.gateway.openai.past import said_before, said_in
from echelon.protocols.gateway.openai.response_object import (
    Notes,
    input_of,
    place_in,
    response_id,
    response_of,
    said_aside,
)
from echelon.protocols.gateway.openai.responses_stream import ResponseStream
from echelon.protocols.gateway.progress import line_of
from echelon.protocols.gateway.rendering import FAILURES, block, failure_text, question_text, said
from echelon.protocols.gateway.runs import Order, Seen
from echelon.protocols.gateway.speech import AGAIN, Speech
from echelon.protocols.messages import (
    Answer,
    Approve,
    Budget,
    Escalate,
    Failed,
    Failure,
    Json,
    Question,
    Reject,
    Revise,
    Skipped,
    Usage,
)
from echelon.protocols.shapes import Shape

from .builders import card, fault, plan_of, step
from .builders import done as reported
from .told_runs import BEGAN, RUN, SPEAKS, Told, done, failed


def asked(name: str, **rules: Any) -> Asked:
    """Ask a question."""
    whole: dict[str, Any] = {
        "id": name, "path": "/a#1", "asks": "approval", "of": "boss", "prompt": f"{name}?", "subject": None,
        "digest": "d", "answer_schema": {},
    }  # fmt: skip
    return Asked(path="/a#1", question=Question(**(whole | rules)))


def answered(name: str, **rules: Any) -> Answered:
    """Answer it."""
    whole: dict[str, Any] = {"question": name, "digest": "d", "approved": True, "by": "ada"}
    return Answered(path="/a#1", answer=Answer(**(whole | rules)))


def started(notes: Notes | None = None, task: Json = "Hi") -> RunStarted:
    """Begin a run."""
    tags = {"team": "desk"} | ({} if notes is None else {"notes": notes.model_dump_json()})
    return RunStarted(run=RUN, worker="desk", task=task, definitions={}, budget=Budget(), tags=tags)


def legs(*events: Event, notes: Notes | None = None) -> tuple[Leg, ...]:
    """See a run in legs."""
    told = (started(notes), Claimed(owner="me"), *events)
    return legs_of(RUN, [Seen(seq, BEGAN + seq, event) for seq, event in enumerate(told, 1)])


SPENT = EffectFinished(kind="model", n=0, digest="d", usage=Usage(calls=1, input=8, output=5))
TWO_LEGS: list[Event] = [
    SPENT, asked("a"), Parked(questions=("a",)), Claimed(owner="me"), answered("a"), SPENT, SPENT, done("Paid."),
]  # fmt: skip


def test_a_run_that_waits_goes_on_in_a_leg_of_its_own() -> None:
    """Each has what it cost, and not what the others did."""
    first, second = legs(*TWO_LEGS)
    assert (first.number, first.progress, first.after, first.usage.calls) == (1, "waiting", 0, 1)
    assert (second.number, second.progress, second.usage.calls) == (2, "over", 2)
    assert second.after == first.seen[-1].seq
    assert [question.id for question in first.questions] == ["a"]
    assert second.questions == ()
    assert [answer.question for answer in second.answers] == ["a"]


def test_a_question_stays_open_from_leg_to_leg() -> None:
    """Until it is answered."""
    wait = Parked(questions=("a", "b"))
    _, second = legs(asked("a"), asked("b"), wait, Claimed(owner="me"), answered("b"), Parked(questions=("a",)))
    assert [question.id for question in second.questions] == ["a"]


@pytest.mark.parametrize(
    ("events", "progress"),
    [
        ([], "running"),
        ([Cancelled(reason="r")], "cancelled"),
        ([Cancelled(reason="r"), Claimed(owner="me")], "running"),
        ([asked("a"), Parked(questions=("a",)), Cancelled(reason="r")], "cancelled"),
        ([done("x")], "over"),
    ],
)
def test_a_leg_knows_where_it_stands(events: list[Event], progress: str) -> None:
    """One that was called off while it waited, or taken up again after that, is still one leg."""
    (leg,) = legs(*events)
    assert leg.progress == progress
    assert (ending_of(leg) is None) == (progress == "running")


@given(st.lists(st.sampled_from([SPENT, Parked(questions=("a",)), Claimed(owner="x"), Cancelled(reason="r")])))
def test_legs_are_the_run_in_pieces(events: list[Event]) -> None:
    """None is lost, none is told twice, and their usages add up."""
    found = legs(*events)
    assert [seen.seq for leg in found for seen in leg.seen] == list(range(1, len(events) + 3))
    assert all(leg.seen[0].seq == leg.after + 1 and leg.number == place for place, leg in enumerate(found, 1))
    assert sum(leg.usage.calls for leg in found) == events.count(SPENT)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Planned(n=1, plan=plan_of(step("a", worker="w"), step("b", worker="x"))), "plan: a (w), b (x)"),
        (Planned(path="/team#1", n=1, plan=plan_of()), "team: plan: no steps"),
        (PlanRefused(n=1, faults=(fault(), fault())), "plan refused: 2 faults"),
        (PlanFailed(n=1, report=failed("refused").report), "plan failed (refused)"),
        (Delegated(step="a", worker="w", attempt=2, payload=1, digest="", reason="x"), "a: handed to w, attempt 2"),
        (Reported(path="/team#2", step="a", attempt=1, report=failed("timeout").report), "team/a: failed (timeout)"),
        (Reported(step="a", attempt=1, report=reported(1)), "a: done"),
        (Reacted(step="a", attempt=1, reaction="fallback", worker="x", reason="r"), "a: fallback by x"),
        (StepSkipped(step="a", reason="r"), "a: skipped"),
        (Reviewed(round=0, verdict=Approve()), "review: approved"),
        (Reviewed(round=0, verdict=Revise(findings=("secret",))), "review: sent back, 1 finding"),
        (Reviewed(round=0, verdict=Reject(reason="secret")), "review: rejected"),
        (Reviewed(round=0, verdict=Escalate(reason="secret")), "review: a person must decide"),
        (Revising(round=1, blamed=("a",), steps=("a", "b"), findings=("secret",), reason="r"), "again: a, b"),
        (asked("a"), "waiting for boss"),
        (asked("a", of="user"), ""),
        (SPENT, ""),
    ],
)
def test_progress_names_who_does_what(event: Event, line: str) -> None:
    """And never what they say."""
    assert line_of(event) == line


def test_a_long_plan_is_told_in_short() -> None:
    """Its first steps are enough."""
    plan = plan_of(*(step(f"s{number}", worker="w") for number in range(20)))
    assert line_of(Planned(n=1, plan=plan)).endswith("s11 (w) and 8 more")


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("Yes.", "Yes."),
        ([1], "```json\n[\n  1\n]\n```"),
        ({"text": "T", "n": 1}, "T"),
        ({"text": "T", "markdown": "M"}, "M"),
        (None, "Done."),
    ],
)
def test_an_output_is_said_as_text(output: Json, text: str) -> None:
    """By the field that holds it, if there is one."""
    assert said(output) == text


@given(st.text(st.sampled_from("`a\n")), st.booleans())
def test_nothing_leaves_its_block(text: str, plain: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    """The fence is longer than any run of backticks inside."""
    shown = block(text if plain else {"a": text})
    fence, *inside, last = shown.split("\n")
    assert last == fence.rstrip("abcdefghijklmnopqrstuvwxyz")
    assert all(last not in line for line in inside)


@pytest.mark.parametrize("kind", [*FAILURES, "tool_failed"])
def test_a_failure_is_a_sentence_without_internals(kind: Any) -> None:
    """It names the run, for whoever looks into it."""
    (leg,) = legs(failed(kind))
    ending = ending_of(leg)
    assert ending is not None
    assert "swordfish" not in ending.text
    assert ending.text.endswith(f". (run {RUN})")
    assert ending.text == failure_text(kind, RUN)


def test_what_a_reviewer_found_is_for_the_client() -> None:
    """Of the supervisor that led all the others."""
    report = Failed(failure=Failure(kind="rejected", message="no"))
    inner = Ended(path="/a#1", report=report, verdict=Reject(reason="inner"))
    (leg,) = legs(inner, Ended(report=report, verdict=Revise(findings=("no date", "no name"))), failed("rejected"))
    ending = ending_of(leg)
    assert ending is not None
    assert "not delivered: no date; no name. (run" in ending.text


def test_a_skipped_run_says_that_nothing_was_done() -> None:
    """Not why: that is the worker's own."""
    (leg,) = legs(RunEnded(report=Skipped(reason="secret")))
    ending = ending_of(leg)
    assert ending is not None
    assert (ending.outcome, ending.error) == ("skipped", None)
    assert "secret" not in ending.text


def test_what_is_asked_shows_all_of_itself() -> None:
    """Also what would be hidden, or would turn the text around; several say how to tell them apart."""
    shown = asked("4f2a", subject="pay \u202e001\n```\nyes").question
    text = question_text((shown, asked("5e1b").question), RUN)
    assert "pay \\u202e001" in text
    assert "````text\n" in text
    assert text.startswith("Each of these waits for an answer that begins with its id.")
    long = asked("a", subject={"all": "x" * 9_000}).question
    assert len(question_text((long,), RUN)) < 4_500
    plain = asked("a", of="user", asks="report", subject={"team": "desk"}, prompt="How many?").question
    assert question_text((plain,), RUN) == f"How many?\n\n_(question a of run {RUN})_"


def spoken(*heard: Event | Delta, returns: Any = str, depth: int = 0) -> tuple[Speech, str]:
    """Listen to the root."""
    speech = Speech(card("desk", returns=Shape(returns), depth=depth))
    told: list[Seen | Delta] = [one if isinstance(one, Delta) else Seen(1, 0.0, one) for one in (started(), *heard)]
    return speech, "".join(speech.hear(one) for one in told)


def tried(path: str = "") -> Attempted:
    """Fail to call a model."""
    failure = Failure(kind="connection", message="")
    return Attempted(path=path, model="m", attempt=1, failure=failure, elapsed=0.0, wait=0.1, reason="")


def test_an_agent_without_tools_speaks_for_itself() -> None:
    """Until a try fails in the middle; then the rest comes at the end, and says that it is one."""
    assert spoken(SPEAKS, Delta("", "a"), Delta("/b#1", "x"), Delta("", "b"))[1] == "ab"
    assert spoken(SPEAKS, tried(), Delta("", "a"))[1] == "a"
    speech, text = spoken(SPEAKS, Delta("", "a"), tried(), Delta("", "b"))
    assert text == "a"
    assert speech.rest("abc") == "bc"
    assert speech.rest("xyz") == f"{AGAIN}xyz"


def test_nobody_else_speaks_before_the_end() -> None:
    """A team, an agent that answers in JSON or has tools, an intake in front, a later call of the same agent."""
    tools = SPEAKS.model_copy(update={"request": SPEAKS.request | {"head": {"tools": [{"name": "f"}]}}})
    later = SPEAKS.model_copy(update={"request": {"model": "m", "head_digest": "h"}})
    word = Delta("", "a")
    assert spoken(SPEAKS, word, depth=1)[1] == ""
    assert spoken(SPEAKS, word, returns=int)[1] == ""
    assert spoken(tools, word)[1] == ""
    assert spoken(later, word)[1] == ""
    assert spoken(started().model_copy(update={"worker": "desk-intake"}), SPEAKS, word)[1] == ""
    assert spoken(SPEAKS, word, later, Delta("", "b"))[1] == "a"


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.integers(1, 999_999))
def test_an_id_leads_to_its_leg(run: str, number: int) -> None:
    """And nothing else does."""
    assert place_in(response_id(run, number)) == (run, number)
    assert place_in(f"{response_id(run, number)}/..") is None


NOTES = Notes(
    input=(Said(role="user", text="Pay."),), instructions="Be brief.", metadata={"a": "b"}, previous="resp_run-6"
)


def test_each_leg_is_a_response_that_openais_types_understand() -> None:
    """It goes on from the one before it; what it was asked stands in the journal."""
    first, second = (response_of(leg) for leg in legs(*TWO_LEGS, notes=NOTES))
    assert Response.model_validate(first).output_text.startswith("**boss** is asked: a?")
    assert Response.model_validate(second).output_text == "Paid."
    assert (first["previous_response_id"], second["previous_response_id"]) == ("resp_run-6", first["id"])
    assert (first["instructions"], second["metadata"]) == ("Be brief.", {"a": "b"})
    assert [item["type"] for item in first["output"]] == ["reasoning", "message", "mcp_approval_request"]


def test_what_a_response_was_sent_is_listed() -> None:
    """Messages, and answers by the question that they are to."""
    first, second = (input_of(leg) for leg in legs(*TWO_LEGS, notes=NOTES))
    assert [item["content"][0]["text"] for item in first] == ["Pay."]
    assert second == [
        {
            "type": "mcp_approval_response", "id": "mcpa_a", "approval_request_id": "mcpr_a", "approve": True,
            "reason": None,
        }
    ]  # fmt: skip
    assert input_of(legs(done("x"))[0]) == []


def test_what_was_said_is_recalled_in_words() -> None:
    """Questions and answers among it; of a run that another surface began, its task."""
    first, second = legs(*TWO_LEGS, notes=NOTES)
    assert [turn.role for turn in said_in(first)] == ["user", "assistant"]
    assert [turn.text for turn in said_in(second)] == ["yes", "Paid."]
    assert [turn.text for turn in said_in(legs(done("x"))[0])] == ["Hi", "x"]
    assert [turn.text for turn in said_in(legs(failed("overloaded"))[0])] == ["Hi"]
    wait: list[Event] = [Parked(questions=("a",)), Claimed(owner="me")]
    reason, value = (
        legs(*wait, answered("a", **rules), done("x"))[1] for rules in ({"approved": False, "note": "no"}, {"value": 7})
    )
    assert said_in(reason)[0].text == "no: no"
    assert said_in(value)[0].text == "7"


def test_a_chain_of_responses_is_gone_back() -> None:
    """To its beginning."""

    async def work() -> list[str]:
        runs = Told([*TWO_LEGS[1:3]], follows=[done("Paid.")])
        notes = NOTES.model_copy(update={"previous": None}).model_dump_json()
        await runs.begin(Order(team="desk", task="", principal="ada", surface="responses", notes=notes))
        await _drained(runs)
        await runs.answer(RUN, "a", approved=True, by="ada")
        await _drained(runs)
        last = legs_of(RUN, await runs.events(RUN))[-1]
        return [turn.text[:5] for turn in await said_before(runs, last)]

    assert anyio.run(work) == ["Pay.", "**bos", "yes", "Paid."]


async def _drained(runs: Told) -> None:
    async with runs.watch(RUN) as told:
        async for _ in told:
            pass


def streamed(leg: Leg, after: int = -1) -> list[Any]:
    """Stream a leg that is over."""
    stream = ResponseStream({**response_of(leg), "status": "in_progress", "output": []}, None, after=after)
    frames = b"".join([stream.begin(), *(stream.take(seen) for seen in leg.seen), stream.end(leg)])
    return [from_json(frame.split(b"data: ")[1]) for frame in frames.split(b"\n\n")[:-2]]


@given(st.integers(-1, 30))
def test_a_stream_goes_on_after_any_event(after: int) -> None:
    """With the same ones under the same numbers."""
    work: Sequence[Event] = [
        Planned(n=1, plan=plan_of(step("a"))),
        Reported(step="a", attempt=1, report=reported(1)),
        asked("a"),
        Parked(questions=("a",)),
    ]
    (leg,) = legs(*work)
    assert streamed(leg, after) == streamed(leg)[after + 1 :]


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        (done("x"), "completed", "completed"),
        (failed("overloaded"), "failed", "failed"),
        (failed("truncated"), "incomplete", "incomplete"),
        (failed("rejected"), "completed", "completed"),
        (Cancelled(reason="r"), "incomplete", "cancelled"),
    ],
)
def test_a_stream_ends_as_its_response_does(event: Event, kind: str, status: str) -> None:
    """There is no event for one that was called off, but there is the status."""
    last = streamed(legs(event)[0])[-1]
    assert (last["type"], last["response"]["status"]) == (f"response.{kind}", status)


def test_an_aside_is_a_response_that_nobody_can_go_on_from() -> None:
    """No run stands behind it."""
    body = said_aside("desk", "Tea", 7, Notes())
    assert Response.model_validate(body).output_text == "Tea"
    assert place_in(body["id"]) is not None
    assert body["usage"]["total_tokens"] == 0


@pytest.mark.parametrize(
    ("error", "status", "retried"),
    [
        (ShapeError("Task", ["/n: field required"]), 422, True),
        (AnswerError("it was answered"), 400, True),
        (CrowdedError(3), 429, True),
        (CrowdedError(0), 503, True),
        (UnknownRunError("run-1"), 404, True),
        (JournalError("the disk is full"), 503, False),
        (UsageError("no such team"), 404, True),
        (OutcomeError("secret"), 500, False),
    ],
)
def test_an_error_of_ours_is_a_status(error: EchelonError, status: int, retried: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """A client may try again where nothing was begun."""
    refused = refused_by(error)
    assert refused.status == status
    assert (("x-should-retry", "false") not in refused.headers) == retried
    assert "secret" not in refused.message
    assert "disk" not in refused.message
