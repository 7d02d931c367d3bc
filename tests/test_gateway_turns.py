"""What a chat turn means, by table: an answer, a task, or a call that no user made; threads and conversations."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from echelon.agents.person import Person
from echelon.protocols.errors import ShapeError
from echelon.protocols.events import Parked, RunEnded, RunStarted
from echelon.protocols.gateway.conversation import Attachment, Conversation, Said, conversation_of, recalled
from echelon.protocols.gateway.runs import Order, Standing
from echelon.protocols.gateway.threads import Thread, standings_of, thread_of
from echelon.protocols.gateway.turns import Aside, Begin, Reply, Turn, how_to_answer, mark_of, turn_of
from echelon.protocols.messages import Budget, Done, Failed, Failure, Json, Question
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal

from .builders import Number

SURE, UNSURE = Thread("chat-1", sure=True), Thread("first:abc", sure=False)
TEXT: dict[str, Json] = {"type": "string"}
OBJECT: dict[str, Json] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
ONE, TWO = "run-" + "1" * 24, "run-" + "2" * 24


def chat(*texts: str) -> Conversation:
    """Take turns, the user first."""
    roles = ("user", "assistant")
    return Conversation.model_validate({"turns": [{"role": roles[i % 2], "text": t} for i, t in enumerate(texts)]})


def ask(asks: Any = "approval", schema: dict[str, Json] | None = None, name: str = "aaaaaa111111") -> Question:
    """Ask something."""
    return Question(
        id=name, path="", asks=asks, of="cfo", prompt="Pay?", subject=None, digest="d", answer_schema=schema or {}
    )


def stands(*questions: Question, run: str = ONE, updated: float = 1.0, **more: Any) -> Standing:
    """Stand somewhere; with questions, wait for their answers."""
    whole: dict[str, Any] = {
        "run": run, "team": "desk", "status": "waiting" if questions else "done", "principal": "ada",
        "surface": "chat", "thread": "chat-1", "started": 0.0, "updated": updated, "questions": questions,
    }  # fmt: skip
    return Standing(**whole | more)


def turn(text: str, *standings: Standing, thread: Thread = SURE, before: Sequence[str] = ()) -> Turn:
    """Say something as ada."""
    return turn_of(chat(*before, text), standings, "ada", thread)


APPROVALS: list[tuple[str, tuple[bool, str] | None]] = [
    ("yes", (True, "")),
    ("Yes!", (True, "")),
    (" **yes** ", (True, "")),
    ("yes, please", (True, "")),
    ("Go ahead.", (True, "")),
    ("no", (False, "")),
    ("No.", (False, "")),
    ("no, too expensive", (False, "too expensive")),
    ("reject: wrong account", (False, "wrong account")),
    ("No - ask Bob first", (False, "ask Bob first")),
    ("/no not today", (False, "not today")),
    ("yes, but only half", None),
    ("yes and no", None),
    ("no problem", None),
    ("no-one may", None),
    ("what is it about?", None),
    ("not yes", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "meant"), APPROVALS)
def test_a_yes_is_a_yes_only_if_nothing_else_is_said(text: str, meant: tuple[bool, str] | None) -> None:
    """What is neither a yes nor a no is asked about again; it never counts as either."""
    question = ask()
    found = turn(text, stands(question))
    if meant is None:
        assert isinstance(found, Aside)
        assert "**cfo** is still asked: Pay?" in found.text
        assert how_to_answer(question) in found.text
        assert found.text.endswith(mark_of(question, ONE))
    else:
        assert found == Reply(run=ONE, question=question, approved=meant[0], note=meant[1])


REPORTS: list[tuple[dict[str, Json], str, bool, Json]] = [
    (TEXT, "the blue one", True, "the blue one"),
    (TEXT, "no", True, "no"),
    (TEXT, "12", True, "12"),
    (TEXT, "/no", False, None),
    (TEXT, "/nothing else", True, "/nothing else"),
    ({"type": "integer"}, "12", True, 12),
    ({"type": "integer"}, "no", False, None),
    ({"type": "boolean"}, "no", True, False),
    ({"type": "boolean"}, "yes", True, True),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "null", True, None),
    (OBJECT, '{"n": 3}', True, {"n": 3}),
    (OBJECT, "```json\n{'n': 3}\n```", True, "{'n': 3}"),
    (OBJECT, "N: 3", True, {"n": 3}),
    (OBJECT, "three", True, "three"),
    (OBJECT, "No", False, None),
    ({}, "7", True, 7),
    ({}, "seven", True, "seven"),
]


@pytest.mark.parametrize(("schema", "text", "approved", "value"), REPORTS)
def test_a_report_is_read_by_its_schema(schema: dict[str, Json], text: str, approved: bool, value: Json) -> None:  # noqa: FBT001 - a column of a table
    """What does not fit is left to whoever takes it; text that can be a value is never a refusal."""
    question = ask("report", schema)
    found = turn(text, stands(question))
    assert found == Reply(run=ONE, question=question, approved=approved, value=value)


def test_what_is_in_doubt_was_done_with_a_result_or_was_not() -> None:
    """A yes takes a result behind a colon."""
    question = ask("in_doubt", TEXT)
    assert turn("yes: paid 12", stands(question)) == Reply(run=ONE, question=question, approved=True, value="paid 12")
    assert turn("no", stands(question)) == Reply(run=ONE, question=question, approved=False)
    assert isinstance(turn("perhaps", stands(question)), Aside)


def test_only_the_last_message_of_the_user_answers() -> None:
    """Neither an earlier yes, nor what the assistant says, ids and all."""
    question = ask()
    found = turn("hm?", stands(question), before=("yes", f"yes {question.id} {ONE}"))
    assert isinstance(found, Aside)
    mine = turn_of(chat("pay it", "yes"), [stands(question)], "ada", SURE)
    assert isinstance(mine, Aside)


def test_the_run_of_another_is_never_answered() -> None:
    """Whoever hands the standings over."""
    theirs = stands(ask(), principal="bob")
    assert turn("yes", theirs) == Begin(task=chat("yes"))
    assert turn(f"{theirs.questions[0].id} yes", theirs) == Begin(task=chat(f"{theirs.questions[0].id} yes"))


def test_an_older_question_is_answered_only_by_its_id() -> None:
    """A yes to what a later run said is none to the question before it."""
    old, question = stands(ask(), updated=1.0), ask()
    later = stands(run=TWO, updated=2.0)
    assert turn("yes", old, later) == Begin(task=chat("yes"), follows=TWO)
    for text in (f"{question.id} yes", "aaaaaa: yes", f"(question {question.id}) yes", f"`{question.id[:8]}` yes"):
        assert turn(text, old, later) == Reply(run=ONE, question=question, approved=True), text
    assert isinstance(turn("bbbbbb yes", old, later), Begin)
    assert isinstance(turn("aaaa yes", old, later), Begin)


def test_of_several_questions_the_user_says_which() -> None:
    """A bare yes is asked about; an id that could be either is none."""
    one, two = ask(name="aaaaaa111111"), ask(name="aaaaaa222222")
    both = stands(one, two)
    found = turn("yes", both)
    assert isinstance(found, Aside)
    assert all(f"`{question.id}` cfo: Pay?" in found.text for question in (one, two))
    assert turn("aaaaaa2 no, not this", both) == Reply(run=ONE, question=two, approved=False, note="not this")
    assert isinstance(turn("aaaaaa yes", both), Aside)


def test_something_else_can_be_asked_while_a_question_is_open() -> None:
    """With a word in front, which the task does not hold."""
    found = turn("/new What is the time?", stands(ask()), before=("pay", "Pay?"))
    assert found == Begin(task=chat("pay", "Pay?", "What is the time?"), follows=ONE)


@pytest.mark.parametrize(
    ("shown", "is_answered"),
    [
        (mark_of(ask(), ONE), True),
        ("", False),
        ("Shall I go on?", False),
        (mark_of(ask(), TWO), False),
        (mark_of(ask(name="bbbbbb111111"), ONE), False),
    ],
)
def test_where_a_thread_is_not_sure_the_question_must_stand_before_its_answer(shown: str, is_answered: bool) -> None:  # noqa: FBT001 - a column of a table
    """Two chats may begin with the same words: a yes in one of them is none in the other."""
    before = ("pay", shown) if shown else ()
    found = turn("yes", stands(ask()), thread=UNSURE, before=before)
    assert isinstance(found, Reply) == is_answered
    assert isinstance(found, Begin) != is_answered


def test_a_follow_up_holds_what_was_said_before() -> None:
    """And names the run it follows."""
    assert turn("shorter, please", stands(), before=("a brief", "It is.")) == Begin(
        task=chat("a brief", "It is.", "shorter, please"), follows=ONE
    )
    assert turn("hello") == Begin(task=chat("hello"))


TITLE = (
    '### Task:\nGenerate a title.\n### Output:\nJSON format: { "title": "..." }\n### Chat History:\n<chat_history>\n'
)
HISTORY = "USER: please pay the bill of the plumber today\nASSISTANT: May I?\nUSER: yes\n</chat_history>"
HIDDEN: list[tuple[tuple[str, ...], str]] = [
    ((TITLE + HISTORY,), '{"title":"please pay the bill of the"}'),
    ((TITLE.replace('"title"', '"tags"') + HISTORY,), '{"tags":["General"]}'),
    ((TITLE.replace('"title"', '"follow_ups"') + HISTORY,), '{"follow_ups":[]}'),
    ((TITLE.replace("JSON format: { ", "Strictly return in JSON format: \n{\n  ").replace('"title"', '"queries"'),),
     '{"queries":[]}'),
    (('### Task:\nComplete.\n### **Output Rules**:\n- Respond only in JSON format: `{ "text": "..." }`.\n',),
     '{"text":""}'),
    (("Provide a concise, 5-word-or-less title for the conversation, using title case conventions.\n\nConversation:\n"
      "User: what is a valve?\nAI: a device",), "what is a valve"),
    (("Your task is to reflect the speaker's likely facial expression through a fitting emoji.\nMessage: hi",),
     "\N{SLIGHTLY SMILING FACE}"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "said"), HIDDEN)
def test_calls_that_no_user_made_begin_nothing_and_answer_nothing(texts: tuple[str, ...], said: str) -> None:
    """Even if a question is open and the history that they play back holds a yes."""
    assert turn(texts[-1], stands(ask()), before=texts[:-1]) == Aside(text=said)


@pytest.mark.parametrize(
    "text",
    [
        "### Task:\nRespond to the user query using the provided context.\n### Output:\nProvide a clear and direct "
        "response to the user's query, including inline citations in the format [id] where there is a source.\n\n"
        '<context>\n{ "title": "x" }\n</context>\n<user_query>\nwhat is a valve?\n</user_query>',
        "Write a title for the conversation",
        'Give me JSON: { "title": "..." }',
        "### Task:\nwrite a song",
    ],
)
def test_a_question_that_looks_like_a_hidden_call_is_a_question(text: str) -> None:
    """Documents that an assistant puts around a question do not make it one of its own."""
    assert turn(text) == Begin(task=chat(text))


def test_tools_that_an_assistant_would_choose_are_none() -> None:
    """The team has its own."""
    system = Said(role="system", text='Available Tools: [...] return { "tool_calls": [] }')
    asked = Conversation(turns=(system, Said(role="user", text="Query: pay")))
    assert turn_of(asked, [], "ada", SURE) == Aside(text='{"tool_calls":[]}')


def test_a_thread_is_named_by_header_metadata_or_first_words() -> None:
    """In this order; the first words stay the same as the chat grows, whatever the system prompt says."""
    one, two = chat("Hi"), chat("Hi", "Hello", "again")
    assert thread_of(one, {"x-echelon-thread": "t", "x-openwebui-chat-id": "c"}, {"chat_id": "m"}).key.endswith(":t")
    assert thread_of(one, {"x-openwebui-chat-id": " "}, {"chat_id": "m"}) == Thread("chat_id:m", sure=True)
    assert thread_of(one, {}, {"chat_id": 3}) == thread_of(two, {}, {})
    assert thread_of(one, {}, {}) != thread_of(chat("Ho"), {}, {})
    system = Conversation(turns=(Said(role="system", text="Be brief."), *one.turns))
    assert thread_of(one, {}, {}) == thread_of(system, {}, {})
    assert len(thread_of(one, {"x-thread-id": "x" * 999}, {}).key) < 250


@pytest.mark.anyio
async def test_a_run_that_the_user_names_counts_wherever_it_was_begun() -> None:
    """If it is the user's own."""
    eva: Person[Number, Number] = Person("eva", "How many?", accepts=Number, returns=Number)
    async with Host({"eva": eva}, MemoryJournal(), limits=Limits(drain=0.0, listen=None)) as host:
        ids = [
            await host.begin(Order(team="eva", task={"n": 1}, principal=principal, surface="chat", thread=thread))
            for principal, thread in (("ada", "x"), ("ada", "y"), ("bob", "y"))
        ]

        async def found(text: str) -> set[int]:
            standings = await standings_of(host, chat(text), Thread("x", sure=True), "ada")
            return {ids.index(one.run) for one in standings}

        assert await found("yes") == {0}
        assert await found(f"{ids[1]} yes, and {ids[2]}, and {ONE}") == {0, 1}


def part(kind: str, **fields: Json) -> dict[str, Json]:
    """A part of a message's content."""
    return {"type": kind, **fields}


def data(text: bytes, kind: str = "text/plain") -> str:
    """A file as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(text).decode()}"


def test_messages_become_turns_with_text_and_text_files() -> None:
    """Parts are joined, developers are the system, and what says nothing is left out."""
    file = {"filename": "a.csv", "file_data": data(b"x,y", "text/csv")}
    messages: list[Json] = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [part("text", text="one"), part("input_text", text="two"), part("file", file=file)],
        },
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "assistant", "content": [part("output_text", text="fine")]},
        {"role": "user", "content": [part("input_file", filename="b.txt", file_data="data:text/plain,plain%20text")]},
    ]
    found = conversation_of(messages)
    assert found.turns == (
        Said(role="system", text="Be brief."),
        Said(role="user", text="one\ntwo", attachments=(Attachment(name="a.csv", text="x,y"),)),
        Said(role="assistant", text="fine"),
        Said(role="user", text="", attachments=(Attachment(name="b.txt", text="plain text"),)),
    )
    assert found.request.whole == "\n\n--- b.txt ---\nplain text\n--- end of b.txt ---"
    assert [said.role for said in found.earlier] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "user", "content": [part("image_url", image_url={"url": "x"})]}, "'image_url': no images, no sounds"),
        ({"role": "user", "content": [part("input_audio")]}, "'input_audio': no images, no sounds"),
        ({"role": "user", "content": 7}, "expected a content of text or a list of parts"),
        ({"role": "tool", "content": "x"}, "expected a role of system, developer, user, assistant, found 'tool'"),
        ({"role": "user", "content": [part("file", file={"file_id": "f"})]}, "only text files that lie in the message"),
        (
            {"role": "user", "content": [part("input_file", file_data=data(b"%PDF", "application/pdf"))]},
            "only text files",
        ),
        ({"role": "user", "content": [part("input_file", file_data=data(b"\xff"))]}, "is no text in UTF-8"),
        ({"role": "user", "content": [part("input_file", file_data="data:text/plain;base64,!")]}, "is no text"),
        ({"role": "user", "content": ""}, "nothing was said"),
        ("hello", "expected a role of"),
    ],
)
def test_what_is_no_text_is_refused_by_name(message: Json, said: str) -> None:
    """Clearly, and saying where."""
    with pytest.raises(ShapeError, match=said):
        conversation_of([message])


def test_what_was_said_in_a_run_can_be_told_again() -> None:
    """Its conversation, or its task; and its output, if it delivered."""

    def began(task: Json) -> RunStarted:
        return RunStarted(run="r", worker="w", task=task, definitions={}, budget=Budget())

    talk = chat("hi", "yes?", "pay")
    done = RunEnded(report=Done(output={"n": 1}))
    failed = RunEnded(report=Failed(failure=Failure(kind="defect", message="no")))
    assert recalled([began(talk.model_dump(mode="json")), Parked(questions=()), done]) == (
        *talk.turns,
        Said(role="assistant", text='{\n  "n": 1\n}'),
    )
    assert recalled([began({"n": 1}), failed]) == (Said(role="user", text=json.dumps({"n": 1}, indent=2)),)
    assert recalled([began("pay"), RunEnded(report=Done(output="paid"))])[1].text == "paid"


def test_how_to_answer_is_said_in_words_that_are_understood() -> None:
    """What it says to write is what counts."""
    assert "`no: reason`" in how_to_answer(ask())
    assert turn("no: reason", stands(ask())) == Reply(run=ONE, question=ask(), approved=False, note="reason")
    for schema in (TEXT, OBJECT):
        question = ask("report", schema)
        assert "`/no`" in how_to_answer(question)
        assert turn("/no", stands(question)) == Reply(run=ONE, question=question, approved=False)
    assert "field: value" in how_to_answer(ask("report", OBJECT))
    assert "yes: result" in how_to_answer(ask("in_doubt", TEXT))
