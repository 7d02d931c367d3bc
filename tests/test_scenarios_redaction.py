"""Redaction: what is a secret goes, wherever it stands; the same secret leaves the same placeholder."""

from __future__ import annotations

import base64
import json
from time import perf_counter
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from echelon import Agent, ScriptedModel, Supervisor, Workflow, run
from echelon.evals.replay.replay import replay
from echelon.evals.scenario import Arm, Redaction, Reference, ReviewLabel, Scenario, StepReference
from echelon.evals.scenarios.lines import dump, load
from echelon.evals.scenarios.redacted import redacted
from echelon.evals.scenarios.redaction import Redactor
from echelon.evals.virtual import in_virtual_time
from echelon.protocols.conversation import digest_of
from echelon.protocols.errors import UsageError
from echelon.protocols.events import Asked, Delegated, EffectFinished, EffectStarted, Event, Parked
from echelon.protocols.messages import Json, Question
from echelon.supervisor.runs import Entry

from .desks import KEY, LOGIN, Login, desk, worked
from .test_jsonl import VALUES
from .test_scenarios_lines import small

WEB_TOKEN = ".".join(("eyJ" + "hbGciOiJI", "eyJ" + "zdWIiOiIx", "c2lnbmF0dXJl"))
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"
apply = Redactor().apply


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (KEY, "[redacted:token:1]"),
        (f"use {KEY}, please", "use [redacted:token:1], please"),
        (f"({KEY})({KEY})", "([redacted:token:1])([redacted:token:1])"),
        ("ghp_" + "a1" * 18, "[redacted:token:1]"),
        ("github_pat_" + "a1" * 12, "[redacted:token:1]"),
        ("glpat-" + "a1" * 10, "[redacted:token:1]"),
        ("AIza" + "a" * 35, "[redacted:token:1]"),
        ("AKIA" + "A1" * 8, "[redacted:token:1]"),
        ("xoxb-" + "1" * 12, "[redacted:token:1]"),
        ("sk_live_" + "a1" * 12, "[redacted:token:1]"),
        ("hf_" + "a" * 34, "[redacted:token:1]"),
        ("SG." + "a" * 22 + "." + "b" * 43, "[redacted:token:1]"),
        (WEB_TOKEN, "[redacted:token:1]"),
        ("Authorization: Bearer abc123def456ghi", "Authorization: Bearer [redacted:token:1]"),
        ("curl -H 'authorization: Basic dXNlcjpwdw=='", "curl -H 'authorization: Basic [redacted:token:1]'"),
        (f"key:\n{PEM}\nend", "key:\n[redacted:private_key:1]\nend"),
        (PEM[:45], "[redacted:private_key:1]"),
        ("postgres://me:hunter2@host:5432/db", "postgres://me:[redacted:password:1]@host:5432/db"),
        ("https://me@host/a:b", "https://me@host/a:b"),
        ("login?user=a&password=hunter2&x=1", "login?user=a&password=[redacted:password:1]&x=1"),
        ("export OPENAI_API_KEY=abc", "export OPENAI_API_KEY=[redacted:api_key:1]"),
        ("api-key='a b\\'c'; next", "api-key='[redacted:api_key:1]'; next"),
        ('see "client_secret": "a, b"', 'see "client_secret": "[redacted:secret:1]"'),
        ("the password is a secret: ask for a token", "the password is a secret: ask for a token"),
        ("task-abcdefghijklmnopqrstuvwxyz", "task-abcdefghijklmnopqrstuvwxyz"),
        ("if password == other: pass", "if password == other: pass"),
        ("max_tokens=500 tokens: 7", "max_tokens=500 tokens: 7"),
        ("bearer of good news tomorrow", "bearer of good news tomorrow"),
    ],
    ids=range(28),
)
def test_what_looks_like_a_secret_is_taken_out_of_a_text(text: str, after: str) -> None:
    """And what does not stays."""
    assert apply(text) == after
    assert apply({"a": [text]}) == {"a": [after]}


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ({"password": "pw"}, {"password": "[redacted:password:1]"}),
        (
            {"dbPassword": "pw", "DB-PWD": "pw"},
            {"dbPassword": "[redacted:password:1]", "DB-PWD": "[redacted:password:1]"},
        ),
        ({"accessToken": 12345}, {"accessToken": "[redacted:token:1]"}),
        ({"Set-Cookie": ["a=1", None, True]}, {"Set-Cookie": ["[redacted:cookie:1]", None, True]}),
        ({"secret": {"a": "u", "n": 1}}, {"secret": {"a": "[redacted:secret:1]", "n": "[redacted:secret:2]"}}),
        ({"password": "", "secret": None, "token": False}, {"password": "", "secret": None, "token": False}),
        ({"tokens": 5, "max_tokens": 6, "secretary": "eva"}, {"tokens": 5, "max_tokens": 6, "secretary": "eva"}),
        ({"properties": {"password": {"type": "string"}}}, {"properties": {"password": {"type": "string"}}}),
        ({"password": {"$from": "task", "at": "/password"}}, {"password": {"$from": "task", "at": "/password"}}),
        ('{"password": "pw", "n": 1e20}', '{"password":"[redacted:password:1]","n":1e+20}'),
        ('[{"a": "{\\"pwd\\": 7}"}]', '[{"a":"{\\"pwd\\":\\"[redacted:pwd:1]\\"}"}]'),
        ('{"a": 1.0,  "b": 2}', '{"a": 1.0,  "b": 2}'),
        ({KEY: 1}, {"[redacted:token:1]": 1}),
        (
            [{"password": "assistant"}, {"role": "assistant", "text": "the assistant"}],
            [{"password": "[redacted:password:1]"}, {"role": "assistant", "text": "the [redacted:password:1]"}],
        ),
    ],
    ids=range(14),
)
def test_what_stands_in_a_field_that_holds_secrets_is_taken_out(value: Json, after: Json) -> None:
    """Text and numbers at any depth, also in JSON inside of a text; schemas and references only name the field."""
    assert apply(value) == after


def test_the_user_names_more_fields() -> None:
    """By name, or by the end of a pointer; however the name is written."""
    redactor = Redactor(fields=("iban", "/customer/*/pin", "/lines/0"))
    value = {"IBAN": "DE1", "customer": {"a": {"pin": 1}, "pin": 2}, "lines": ["x", "y"], "text": '{"iban":"DE2"}'}
    assert redactor.apply(value) == {
        "IBAN": "[redacted:iban:1]",
        "customer": {"a": {"pin": "[redacted:pin:1]"}, "pin": 2},
        "lines": ["[redacted:0:1]", "y"],
        "text": '{"iban":"[redacted:iban:2]"}',
    }


def test_the_same_secret_leaves_the_same_placeholder_everywhere() -> None:
    """Also where only its value shows that it is one; a short one, or a part of a word, does not."""
    value = [
        {"password": "correct-horse"},
        {"password": "abc"},
        "correct-horse it is; correct-horses; abc",
        {"note": "say correct-horse", "token": "correct-horse"},
    ]
    assert apply(value) == [
        {"password": "[redacted:password:1]"},
        {"password": "[redacted:password:2]"},
        "[redacted:password:1] it is; correct-horses; abc",
        {"note": "say [redacted:password:1]", "token": "[redacted:password:1]"},
    ]


def test_placeholders_are_numbered_as_they_stand_whatever_was_found_first() -> None:
    """What shows that something is a secret may come after it, or only once something else is gone."""
    aws = "AKIA" + "A1" * 8
    value = ["second-pw, third-pw", f"third-pw{aws}", {"password": "first-pw"}, {"password": "second-pw"}]
    assert apply([*value, {"password": "third-pw"}]) == [
        "[redacted:password:1], [redacted:password:2]",
        "[redacted:password:2][redacted:token:1]",
        {"password": "[redacted:password:3]"},
        {"password": "[redacted:password:1]"},
        {"password": "[redacted:password:2]"},
    ]


SECRETS = st.text(min_size=4, max_size=24).filter(lambda text: text.isprintable() and "[" not in text)


@given(SECRETS, st.text(max_size=5), st.text(max_size=5))
def test_a_registered_secret_is_found_however_it_is_written(secret: str, before: str, after: str) -> None:
    """As it is, in JSON, in an address, in base64 at any place."""
    redactor = Redactor(secrets=(secret,))
    whole = f"{before}{secret}{after}"
    spellings = [
        whole,
        json.dumps(whole, ensure_ascii=False),
        urlencode({"q": whole}),
        quote(whole, safe=""),
        quote_plus(whole),
    ]
    redact = [redactor.apply(spelling) for spelling in spellings]
    for one in redact:
        assert "[redacted:secret:1]" in one
        assert secret not in one.replace("[redacted:secret:1]", "")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(whole.encode()).decode()
        if len(secret.encode()) >= 7:
            assert "[redacted:secret:1]" in redactor.apply(encoded)
    assert redactor.apply([secret, {secret: True}]) == ["[redacted:secret:1]", {"[redacted:secret:1]": True}]


PIECES = ["password=", "pw-1234", KEY, " ", '"', "://a:", "@", "=", "[redacted:token:7]", "]", "x"]
WORDS = st.lists(st.sampled_from(PIECES), max_size=8)
TREES: st.SearchStrategy[Json] = st.recursive(
    VALUES | WORDS.map("".join),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["password", "token", "text", "iban"]), inner, max_size=3)
        | inner.map(json.dumps)
    ),
    max_leaves=10,
)


@given(TREES)
def test_what_was_redacted_comes_out_the_same_again(value: Json) -> None:
    """So a recording that was redacted twice, or a request that is compared, is no other one."""
    redactor = Redactor(secrets=("pw-1234",), fields=("iban",))
    once = redactor.apply(value)
    assert redactor.apply(once) == once
    assert "pw-1234" not in json.dumps(once)


def test_a_part_of_a_recording_compares_equal_to_what_is_asked_for() -> None:
    """Placeholders are numbered within what is compared."""
    other = KEY + "-other"
    recorded = apply([other, {"header": f"Bearer {KEY}", "again": KEY}])[1]
    assert recorded["again"] == "[redacted:token:2]"
    assert apply(recorded) == apply({"header": f"Bearer {KEY}", "again": KEY})
    assert apply(recorded) != apply({"header": f"Bearer {KEY}", "again": other})


def test_what_overlaps_is_taken_out_whole() -> None:
    """Of two secrets that share characters nothing is left."""
    redactor = Redactor(secrets=("abcd-efgh", "efgh-ijkl"))
    assert redactor.apply("abcd-efgh-ijkl") == "[redacted:secret:1]"


@pytest.mark.parametrize(
    "text", ["password=", "a", "-----BEGIN PRIVATE KEY-----", "bearer ", "://a:", '{"a":', 'pwd="', "eyJ", "sk-a."]
)
def test_no_text_takes_long(text: str) -> None:
    """What is searched is not trusted."""
    began = perf_counter()
    apply(text * (200_000 // len(text)))
    assert perf_counter() - began < 3


def test_deep_json_inside_of_texts_does_not_exhaust_the_stack() -> None:
    """It is looked into down to a depth, and searched as text below."""
    value: Json = "[" * 190 + '"' + KEY + '"' + "]" * 190
    for _ in range(4):
        value = [[[[json.dumps([[value]])]]]]
    assert KEY not in json.dumps(apply(value))


def test_a_redactor_without_sense_is_refused() -> None:
    """The error does not tell the secret."""
    with pytest.raises(UsageError, match=r"at least 4 characters, found shorter: \[1\]") as caught:
        Redactor(secrets=("long enough", "abc"))
    assert "abc" not in str(caught.value)
    with pytest.raises(UsageError, match="names or pointers of fields"):
        Redactor(fields=("/a//b",))
    assert "long enough" not in repr(Redactor(secrets=("long enough",)))


def recorded(task: Login = LOGIN, redactor: Redactor | None = None) -> Scenario:
    """Record the desk."""
    return Scenario.from_run(worked(task), desk(), name="one", redact=redactor)


def test_no_secret_is_left_in_a_recorded_run() -> None:
    """In the header, the payloads, the talk with the model, the question, the output; the counts are in the header."""
    whole = recorded()
    assert "correct-horse" in "".join(dump(whole))
    redactor = Redactor(fields=("pin",))
    scenario = redacted(whole, redactor)
    text = "".join(dump(scenario))
    assert "correct-horse" not in text
    assert "4711" not in text
    assert "with [redacted:password:1]" in text
    rules = {one.rule: one.times for one in scenario.header.redactions}
    assert set(rules) == {"password", "pin"}
    assert load(dump(scenario)) == scenario
    assert redacted(scenario, redactor) == scenario


def test_a_scenario_without_secrets_is_left_as_it_is() -> None:
    """Not even a digest changes."""
    scenario = small()
    assert redacted(scenario, Redactor()) is scenario


def test_redactions_of_several_passes_add_up() -> None:
    """A second pass may know more."""
    first = redacted(recorded(), Redactor())
    second = redacted(first, Redactor(fields=("pin",)))
    assert {one.rule for one in second.header.redactions} == {"password", "pin"}
    before = {one.rule: one.times for one in first.header.redactions}
    assert Redaction(rule="password", times=before["password"]) in second.header.redactions


def digests(scenario: Scenario) -> list[tuple[str, ...]]:
    """List the digests, keys and ids in a scenario, in order of their places."""
    found: list[tuple[str, ...]] = []
    for entry in scenario.entries:
        event = entry.event
        match event:
            case Delegated():
                found.append((event.path, event.step, event.digest))
            case EffectStarted():
                found.append((event.path, event.kind, event.digest, event.key))
            case Asked():
                found.append((event.path, event.question.id, event.question.digest))
            case _:
                pass
    return found


def test_digests_over_secrets_are_those_of_the_same_run_over_the_placeholders() -> None:
    """Handoffs, model calls, tools, writes with their keys, questions: a short secret cannot be guessed from any."""
    scenario = recorded(redactor=Redactor(fields=("pin",)))
    again = recorded(Login.model_validate(scenario.header.input))
    assert digests(scenario) == digests(again)
    assert not set(digests(scenario)) & {one for one in digests(recorded()) if "look_up" not in one[1]}


def test_a_redacted_run_replays_strictly() -> None:
    """The team gets the placeholders, asks the same, and gets the same."""
    scenario = recorded(redactor=Redactor(fields=("pin",)))
    played = in_virtual_time(lambda: replay(desk(), scenario))
    assert (played.error, played.misses) == ("", ())
    assert played.outcome is not None
    assert played.outcome.status == "delivered"
    assert "[redacted:password:1]" in played.outcome.output


def test_digests_are_renamed_in_references_and_arms_too() -> None:
    """What was about a draft or a payload still is."""
    whole = recorded()
    given = next(entry.event for entry in whole.entries if isinstance(entry.event, Delegated))
    draft = digest_of(b'"' + str(whole.entries[-1].event.report.output).encode() + b'"')  # type: ignore[union-attr] # it was delivered
    reference = Reference(
        steps=(StepReference(step="/finder"),), reviews=(ReviewLabel(draft=draft, accept=True, origin="eva"),)
    )
    arm = Arm(step="/finder", payload=given.digest, agent="finder", output={"password": "correct-horse"})
    scenario = redacted(
        Scenario(header=whole.header, reference=reference, entries=whole.entries, arms=(arm,)), Redactor()
    )
    after = next(entry.event for entry in scenario.entries if isinstance(entry.event, Delegated))
    assert scenario.arms[0].payload == after.digest != given.digest
    assert scenario.arms[0].output == {"password": "[redacted:password:1]"}
    assert scenario.reference.reviews[0].draft != draft


def test_a_registered_secret_in_a_name_is_refused() -> None:
    """Names hold a recording together: they cannot be redacted, and must not be written."""
    with pytest.raises(UsageError, match="a registered secret stands in a field 'worker'"):
        recorded(redactor=Redactor(secrets=("desk",)))


def keyed() -> Supervisor[str, str]:
    """Hire an agent whose instructions hold a key."""
    model = ScriptedModel(lambda request: f"told {len(request.messages)}")
    teller = Agent("teller", f"Tell. The key is {KEY}.", accepts=str, returns=str, models=[model])
    flow = Workflow(str, str)
    flow.output(flow.step(teller, flow.step(teller, flow.task)))
    return Supervisor("boss", accepts=str, returns=str, team=[teller], planner=flow)


def test_a_secret_in_instructions_leaves_no_digest_either() -> None:
    """All calls name the head by the digest of what is left of it, and the run replays all the same."""
    outcome = in_virtual_time(lambda: run(keyed(), "please", run_id="run-1"))
    before = Scenario.from_run(outcome, keyed(), name="one", redact=None)
    scenario = redacted(before, Redactor())
    calls = [e.event.request for e in scenario.entries if isinstance(e.event, EffectStarted)]
    assert [call["head_digest"] for call in calls] == [digest_of(to_json(calls[0]["head"]))] * 2
    assert "The key is [redacted:token:1]." in calls[0]["head"]["instructions"]
    text = "".join(dump(scenario))
    gone = {e.event.digest for e in before.entries if isinstance(e.event, EffectStarted)}
    assert not [digest for digest in gone if digest in text]
    played = in_virtual_time(lambda: replay(keyed(), scenario))
    assert (played.error, played.misses) == ("", ())


def test_a_question_or_a_request_made_by_another_rule_gets_a_digest_all_the_same() -> None:
    """It is one of what is left, by whatever rule; what refers to it goes along."""
    question = Question(
        id="q-from-elsewhere", path="/a#1", asks="approval", of="eva", prompt="?", subject={"password": "hunter2"},
        digest="elsewhere", answer_schema={},
    )  # fmt: skip
    odd = {"model": "m", "head_digest": "h", "first": 0, "messages": [{"role": "stranger", "password": "hunter2"}]}
    events: list[Event] = [
        Asked(path="/a#1", question=question),
        Parked(questions=("q-from-elsewhere",)),
        EffectStarted(path="/a#1", kind="model", n=0, digest="odd-digest", request=odd),
        EffectFinished(path="/a#1", kind="model", n=0, digest="odd-digest"),
    ]
    whole = small()
    scenario = Scenario(header=whole.header, entries=[Entry(n, 0.0, event) for n, event in enumerate(events, 1)])
    asked, parked, begun, ended = (entry.event for entry in redacted(scenario, Redactor()).entries)
    assert isinstance(asked, Asked)
    assert isinstance(parked, Parked)
    assert isinstance(begun, EffectStarted)
    assert isinstance(ended, EffectFinished)
    assert asked.question.digest == digest_of(b'{"password":"[redacted:password:1]"}')
    assert parked.questions == (asked.question.id,) != ("q-from-elsewhere",)
    assert begun.digest == ended.digest != "odd-digest"
