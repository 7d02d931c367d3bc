"""Redaction: secrets are taken out before anything is written, and the same secret leaves the same placeholder.

What is a secret:

1. a value that was registered: as it is, escaped in JSON, in an address, in base64;
2. what looks like one (`patterns.py`): keys of known providers, tokens, private keys, passwords in addresses, and
   `password=...` in its usual spellings;
3. every text and number in a field whose name says so, or that the user has named, also in JSON inside of a text;
4. what was found by 2 or 3, wherever else it stands as a word of its own, if it has six characters or more.

A placeholder is `[redacted:KIND:N]`; N counts the secrets of a kind in the order in which they come up. Placeholders
that are there already are counted like secrets. So `apply` is a pure function, a value that has gone through it comes
out the same again, and two requests that differ in nothing but secrets, or in how their secrets were numbered, come
out equal: that is how a replay compares a request with a recorded one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal, TypeVar, cast, get_origin

from pydantic import BaseModel
from pydantic_core import to_json

from ...protocols.errors import UsageError
from ...protocols.jsonl import UnfitError, parse
from ...protocols.messages import Json
from ...protocols.once import once
from .patterns import LEAST, PATTERNS, PLACEHOLDER, anywhere, as_words, kind_of, squeezed, variants
from .plain import is_list, is_object

T = TypeVar("T")

SHORTEST: Final = 4
"""Characters of a registered secret, at least: a shorter one would be found everywhere."""

NAMES: Final = frozenset({
    "path", "step", "steps", "worker", "run", "kind", "digest", "key", "model", "models", "tools", "definition",
    "definitions", "source", "after", "blamed", "id", "of", "by", "owner", "question", "questions", "labels", "agent",
    "acceptable", "gold", "forbidden", "at", "scorer",
})  # fmt: skip
"""Fields of messages that only name things: they hold the recording together, and are left as they are."""
WORDS: Final = frozenset({"type", "role", "finish", "model"})
"""The same in the JSON that the framework makes of a model's request and reply."""
EMBEDDED: Final = 20
"""Levels down to which a text is looked into for JSON."""
WALKS: Final = 8
"""Times that a value is walked over; three are enough for what nobody made to annoy."""


@dataclass(frozen=True)
class Redactor:
    """What is taken out.

    Args:
        secrets: values that must never be seen; each of four characters or more.
        fields: more fields that hold secrets: a name, `iban`, or the end of a JSON Pointer, `/customer/iban`, in which
            `*` stands for any one field or index. How a name is written does not matter: `userPin` is `user_pin`.

    Raises:
        UsageError: a secret is too short, or a field has no name.

    Example:
        >>> Redactor(fields=["/card/number"]).apply({"card": {"number": 4111}, "number": 7, "url": "http://me:pw@host"})
        {'card': {'number': '[redacted:number:1]'}, 'number': 7, 'url': 'http://me:[redacted:password:1]@host'}
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would take out everything or nothing."""
        if short := [place for place, secret in enumerate(self.secrets) if len(secret) < SHORTEST]:
            raise UsageError(f"redactor: expected secrets of at least {SHORTEST} characters, found shorter: {short}")
        if not all(one for _, pattern in self._patterns for one in pattern):
            raise UsageError(f"redactor: expected names or pointers of fields, found {self.fields!r}")

    def apply(self, value: Json) -> Json:
        """The JSON value without its secrets; placeholders are numbered anew, within this value."""
        return rid_of_secrets(self, value, Walk.over)[0]

    def kind(self, path: tuple[str, ...]) -> str:
        """The kind of secret that the field at this path holds; "": none."""
        for kind, pattern in self._patterns:
            end = path[-len(pattern) :]
            if len(end) == len(pattern) and all(p in ("*", squeezed(one)) for p, one in zip(pattern, end, strict=True)):
                return kind
        return kind_of(path[-1]) if path else ""

    @once
    def _patterns(self) -> list[tuple[str, tuple[str, ...]]]:
        """Kind and names of each field that the user has named."""
        split = [pattern.removeprefix("/").split("/") for pattern in self.fields]
        return [(_kind(parts[-1]), tuple("*" if one == "*" else squeezed(one) for one in parts)) for parts in split]

    @once
    def registered(self) -> Mapping[str, str]:
        """Each secret by each way in which it may be written."""
        return {text: secret for secret in self.secrets for text in variants(secret)}


def rid_of_secrets(redactor: Redactor, value: T, over: Callable[[Walk, T], T]) -> tuple[T, Counter[str]]:
    """The value without secrets, and how often which kind of secret was taken out.

    It is walked over until nothing is found any more: what was found in one place is looked for in all of them, and the
    last walk only numbers what is left, in the order in which it stands there.
    """
    counts: Counter[str] = Counter()
    known: Mapping[str, str] = {}
    for _ in range(WALKS):
        walk = Walk(redactor, known)
        value = over(walk, value)
        if not walk.counts:
            break
        counts += walk.counts
        known = walk.known()
    return value, counts


@dataclass(frozen=True, slots=True)
class _Span:
    """A secret, or a placeholder, in a text."""

    start: int
    end: int
    kind: str
    secret: str
    """What it stands for; the same for all spellings of one secret."""


class Walk:
    """One walk through values that share their placeholders."""

    def __init__(self, redactor: Redactor, known: Mapping[str, str]) -> None:
        """Begin.

        Args:
            redactor: says what is a secret.
            known: what was found by the walks before, with the placeholders that they left.
        """
        self._redactor = redactor
        self._known = known
        self._words = as_words(one for one in known if len(one) >= LEAST)
        self._registered = anywhere(redactor.registered)
        self._numbers: Counter[str] = Counter()
        self._left: dict[str, str] = {}
        """By secret, or placeholder of before, what is left of it."""
        self.counts: Counter[str] = Counter()
        """How many secrets were taken out, by kind."""

    def known(self) -> dict[str, str]:
        """All secrets that were found so far, with the placeholders that this walk left."""
        found = {one: left for one, left in self._left.items() if not PLACEHOLDER.fullmatch(one)}
        return {one: self._left.get(before, before) for one, before in self._known.items()} | found

    def over(self, value: Any, path: tuple[str, ...] = (), kind: str = "") -> Any:
        """The value, a message or JSON, without its secrets; `kind`: of the secret field that it stands in, if any."""
        if isinstance(value, BaseModel):
            return self._message(value)
        if isinstance(value, str):
            return self._whole(value, kind) if kind else self._text(value, path)
        if isinstance(value, int | float) and kind and not isinstance(value, bool):
            return self._whole(str(value), kind)
        if isinstance(value, tuple):
            return tuple(self._list([*value], path, kind))  # pyright: ignore[reportUnknownArgumentType] # of anything
        if is_list(value):
            return self._list(value, path, kind)
        return self._object(value, path, kind) if is_object(value) else value

    def _list(self, items: list[Json], path: tuple[str, ...], kind: str) -> list[Json]:
        below = [(*path, str(index)) for index in range(len(items))]
        return [self.over(one, at, kind or self._redactor.kind(at)) for one, at in zip(items, below, strict=True)]

    def _object(self, pairs: dict[str, Json], path: tuple[str, ...], kind: str) -> dict[str, Json]:
        made: dict[str, Json] = {}
        for name, value in pairs.items():
            below = (*path, name)
            about = is_object(value) and (path[-1:] == ("properties",) or "$from" in value)  # a schema, a reference
            inner = kind or ("" if about else self._redactor.kind(below))
            if isinstance(value, str) and name in WORDS and not inner:
                made[name] = self._spanned(value, self._certain)
            else:
                made[self._spanned(name, self._certain)] = self.over(value, below, inner)
        return made

    def _message(self, message: BaseModel) -> BaseModel:
        """The message with what is said in it redacted, and what holds it together as it is."""
        changed: dict[str, Any] = {}
        for name in _said(type(message)):
            before = getattr(message, name)
            if name in NAMES and not _is_data(before):
                self._refuse(name, before)
            elif (after := self.over(before, (name,))) != before:
                changed[name] = after
        return message.model_copy(update=changed) if changed else message

    def _refuse(self, name: str, value: object) -> None:
        """Refuse a secret that cannot be taken out."""
        texts = [value] if isinstance(value, str) else cast("list[object]", value if isinstance(value, tuple) else [])
        if self._registered is not None and any(isinstance(one, str) and self._registered.search(one) for one in texts):
            raise UsageError(f"a registered secret stands in a field {name!r}, which only names things: rename them")

    def _text(self, text: str, path: tuple[str, ...]) -> str:
        inside = _embedded(text) if len(path) < EMBEDDED else None
        if inside is None:
            return self._spanned(text, self._all)
        after = self.over(inside, (*path, ""))
        return text if after == inside else to_json(after).decode()

    def _whole(self, text: str, kind: str) -> str:
        """A text that is a secret as a whole."""
        if not text:
            return text
        placeholder = PLACEHOLDER.fullmatch(text)
        span = _placed(placeholder) if placeholder else _Span(0, len(text), kind, text)
        return self._placeholder(span)

    def _spanned(self, text: str, find: Callable[[str], list[_Span]]) -> str:
        spans = _disjoint(find(text))
        if not spans:
            return text
        pieces: list[str] = []
        end = 0
        for span in spans:
            pieces += [text[end : span.start], self._placeholder(span)]
            end = span.end
        return "".join([*pieces, text[end:]])

    def _placeholder(self, span: _Span) -> str:
        before = self._known.get(span.secret, span.secret)
        if before not in self._left:
            self._numbers[span.kind] += 1
            self._left[before] = f"[redacted:{span.kind}:{self._numbers[span.kind]}]"
        if not PLACEHOLDER.fullmatch(span.secret):
            self.counts[span.kind] += 1
        return self._left[before]

    def _certain(self, text: str) -> list[_Span]:
        """What is a secret wherever it stands, and placeholders."""
        spans = [_placed(match) for match in PLACEHOLDER.finditer(text)]
        if self._registered is not None:
            registered = self._redactor.registered
            spans += [_Span(*m.span(1), "secret", registered[m.group(1)]) for m in self._registered.finditer(text)]
        for kind, pattern in PATTERNS:
            for match in pattern.finditer(text):
                last = match.lastindex or 0
                spans.append(_Span(*match.span(last), kind or kind_of(match.group(1)), match.group(last)))
        return spans

    def _all(self, text: str) -> list[_Span]:
        spans = self._certain(text)
        if self._words is not None:
            for match in self._words.finditer(text):
                left = PLACEHOLDER.fullmatch(self._known[match.group()])
                spans.append(_Span(*match.span(), left.group(1) if left else "", match.group()))
        return spans


def _placed(match: re.Match[str]) -> _Span:
    return _Span(*match.span(), match.group(1), match.group())


def _disjoint(spans: list[_Span]) -> list[_Span]:
    """In order; of spans that overlap, one over all of them, of the kind of the first and longest."""
    made: list[_Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not made or span.start >= made[-1].end:
            made.append(span)
        elif span.end > made[-1].end:
            before = made[-1]
            extra = span.secret[-(span.end - before.end) :]
            made[-1] = _Span(before.start, span.end, before.kind, before.secret + extra)
    return made


def _embedded(text: str) -> Json:
    """The JSON object or list that a text is, with nothing in it that could be overlooked; None: it is none."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return parse(text, most=len(text))
    except UnfitError:
        return None


def _kind(name: str) -> str:
    """A field's name as it stands in placeholders."""
    return _FOREIGN.sub("_", name.lower()).strip("_")[:40] or "field"


_FOREIGN = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=512)
def _said(kind: type[BaseModel]) -> tuple[str, ...]:
    """Fields that may hold what somebody said: not those of a closed set, and not names that follow a pattern."""
    return tuple(
        name
        for name, info in kind.model_fields.items()
        if get_origin(info.annotation) is not Literal and not (info.annotation is str and info.metadata)
    )


def _is_data(value: object) -> bool:
    """Whether a field that bears the name of a name holds more than names."""
    inner = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    return any(isinstance(one, BaseModel) for one in inner)
