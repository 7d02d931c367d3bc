"""What the models of the works are told and what they say: the same words for every contender, over HTTP or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic_core import from_json, to_json

Json = Any
"""A JSON value."""

MODEL = "scripted"
PRODUCT = "lamp"
SPECIALISTS = tuple(f"s{n}" for n in range(1, 9))

ALPHA = 'You are alpha. Say how many units of the product are wanted a month. Answer as JSON: {"units": integer}.'
BETA = 'You are beta. Look up the stock, then say the price of the product. Answer as JSON: {"cents": integer}.'
BOSS = "You are the boss. Ask alpha for the demand and beta for the price of the product; give both."
CHIEF = "You are the chief. Have all eight specialists look at the product, then have their findings put together."
LEAD = "You are the lead. Ask alpha for the demand, then beta for the price, then have the writer put both together."
WRITER = 'You are the writer. Put what you are given together in one sentence. Answer as JSON: {"text": string}.'
CRITERIA = "The text names units and price."


def specialist(name: str) -> str:
    """Instructions of one of the eight."""
    return f'You are {name}. Look at the product from your side. Answer as JSON: {{"text": string}}.'


def remark(n: int) -> str:
    """Message number n of a long history, 200 characters."""
    return f"{n}: {'so it goes on ' * 20}"[:200]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says: text or tool calls."""

    text: str = ""
    calls: tuple[Call, ...] = ()


def _json(value: Json) -> str:
    return to_json(value).decode()


def _asks(*names: str) -> Said:
    return Said(calls=tuple(Call(f"call_{name}", name, _json({"product": PRODUCT})) for name in names))


def _plan(steps: Sequence[tuple[str, Json]], output: Json) -> Said:
    """One step per worker, named after it."""
    named = [{"id": worker, "worker": worker, "input": given} for worker, given in steps]
    return Said(text=_json({"steps": named, "output": output}))


def _from(step: str, at: str = "") -> Json:
    return {"$from": step, "at": at} if at else {"$from": step}


OFFER: Json = {"units": 120, "cents": 4950}
SUMMARY: Json = {"text": "Eight times: a good lamp."}
NOTE: Json = {"text": "120 lamps at 49.50."}
_BOTH: Json = {"units": _from("alpha", "/units"), "cents": _from("beta", "/cents")}
_FINDINGS: Json = {"findings": [_from(name) for name in SPECIALISTS]}

# By name and number of tool results so far.
_SAYS: dict[tuple[str, int], Said] = {
    ("alpha", 0): Said(text=_json({"units": 120})),
    ("beta", 0): _asks("stock"),
    ("beta", 1): Said(text=_json({"cents": 4950})),
    ("boss", 0): _asks("alpha"),
    ("boss", 1): _asks("beta"),
    ("boss", 2): Said(text=_json(OFFER)),
    ("chief", 0): _asks(*SPECIALISTS),
    ("chief", 8): Said(text=_json(SUMMARY)),
    ("writer", 0): Said(text=_json(SUMMARY)),
    ("criteria", 0): Said(text=_json({"verdict": "approve", "findings": [], "blamed": [], "reason": "it does"})),
    **{(name, 0): Said(text=_json({"text": f"{name} finds it good."})) for name in SPECIALISTS},
}
_PLANS = {
    "boss": _plan([("alpha", _from("task")), ("beta", _from("task"))], _BOTH),
    "chief": _plan([(name, _from("task")) for name in SPECIALISTS] + [("writer", _FINDINGS)], _from("writer")),
    "lead": _plan([("alpha", _from("task")), ("beta", _from("task")), ("writer", _BOTH)], _from("writer")),
}


def say(instructions: str, results: int) -> Said:
    """What a model with these instructions says after so many tool results.

    Example:
        >>> say(ALPHA, 0).text
        '{"units":120}'
    """
    name = instructions.partition(".")[0].rpartition(" ")[2]
    if "Write a plan" in instructions:
        return _PLANS[name]
    return _SAYS[name, results]


def completion(body: bytes) -> bytes:
    """The whole answer to a chat completion's request, as a server sends it."""
    request: Mapping[str, Json] = from_json(body)
    messages: Sequence[Mapping[str, Json]] = request["messages"]
    results = sum(message["role"] == "tool" for message in messages)
    tokens = len(body) // 4
    return _envelope(say(messages[0]["content"], results)) % (tokens, tokens + 20)


@cache
def _envelope(said: Said) -> bytes:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in said.calls
    ]
    message: Json = {"role": "assistant", "content": said.text or None, "refusal": None}
    choice = {
        "index": 0,
        "message": message | ({"tool_calls": calls} if calls else {}),
        "finish_reason": "tool_calls" if calls else "stop",
        "logprobs": None,
    }
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
    usage = b'"usage":{"prompt_tokens":%d,"completion_tokens":20,"total_tokens":%d}}'
    return to_json(head)[:-1].replace(b"%", b"%%") + b"," + usage
