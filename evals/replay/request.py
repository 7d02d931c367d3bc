"""Requests as a reader compares them: whole conversations, put together from what each call added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...protocols.messages import Json
from ...supervisor.views.bill import fields
from ..scenarios.plain import is_list


def whole(calls: Sequence[Json], heads: Mapping[str, Json]) -> Json:
    """The last of these model calls as it was made: model, head and all messages.

    Args:
        calls: what the journal holds of the calls at one place, in order: each only the messages that are new.
        heads: by digest; of an unknown one only the digest is told.

    Example:
        >>> first = {"model": "m", "head_digest": "d", "first": 0, "messages": [{"text": "Hi"}]}
        >>> then = {"model": "m", "head_digest": "d", "first": 1, "messages": [{"text": "Go on"}]}
        >>> whole([first, then], {"d": {"instructions": "Greet."}})
        {'model': 'm', 'instructions': 'Greet.', 'messages': [{'text': 'Hi'}, {'text': 'Go on'}]}
    """
    messages: list[Json] = []
    for call in map(fields, calls):
        known, new = call.get("first"), call.get("messages")
        messages = [*messages[: known if isinstance(known, int) else 0], *(new if is_list(new) else ())]
    last = fields(calls[-1])
    head = heads.get(f"{last.get('head_digest')}")
    told = {"head_digest": last.get("head_digest")} if head is None else _told(fields(head))
    return {"model": last.get("model"), **told, "messages": messages}


def _told(head: Mapping[str, Json]) -> dict[str, Json]:
    """The head with its tools by name: so a tool has the same place whatever stands before it."""
    tools = head.get("tools")
    if not is_list(tools) or not tools:
        return {**head}
    return {**head, "tools": {f"{tool.get('name')}": tool for tool in map(fields, tools)}}


def tools_of(request: Json) -> frozenset[str]:
    """Names of the tools that a whole request to a model offers."""
    return frozenset(fields(fields(request).get("tools")))
