"""Blobs: what is long stands beside the scenarios, once, under the digest of its content.

1. A text, list or object whose JSON is longer than 8 KB is replaced by `{"$blob": SHA-256, "bytes": n}`. It is the
   smallest such part; one whose parts have been replaced and that is still too long is replaced as a whole.
2. A blob is JSON as it is; there are no references in it, so that no small file can unfold into a huge one.
3. Data with a field `$blob` of its own is written with one `$` more, as `$$blob`; one that has `$$blob`, as `$$$blob`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...protocols.jsonl import UnfitError, parse
from ...protocols.messages import Json
from .files import Writing, read
from .plain import is_list, is_object, text_of

INLINE: Final = 8 * 1024
"""Bytes of JSON that still stand in line."""
MAX_BLOB: Final = 16 * 1024 * 1024
"""Bytes of one blob; of one event in a journal too."""
FOLDER: Final = "blobs"

Keep = Callable[[bytes], str]
"""Keeps a content and says its digest."""
Fetch = Callable[[str, int], Json]
"""The value that is kept under a digest, of so many bytes."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ESCAPED = re.compile(r"\$+blob")


@dataclass(frozen=True, slots=True)
class _Long:
    """A part that is to be kept elsewhere."""

    content: bytes


def lift(value: Json, keep: Keep | None) -> Json:
    """The value with references in the place of what is long; without `keep`, only with its own `$blob` escaped.

    Example:
        >>> lift({"$blob": "mine", "text": "short"}, None)
        {'$$blob': 'mine', 'text': 'short'}
    """
    return _settled(value if keep is None else _measured(value)[0], keep)


def lower(value: Json, fetch: Fetch) -> Json:
    """The value with what its references stand for.

    Raises:
        UnfitError: a reference is none, or what it stands for cannot be had.

    Example:
        >>> lower({"$$blob": "mine"}, lambda digest, size: None)
        {'$blob': 'mine'}
    """
    if is_list(value):
        return [lower(one, fetch) for one in value]
    if not is_object(value):
        return value
    if "$blob" in value:
        return fetch(*_reference(value))
    return {name[1:] if _ESCAPED.fullmatch(name) else name: lower(found, fetch) for name, found in value.items()}


@dataclass(frozen=True, slots=True)
class Blobs:
    """The blobs of a suite: `blobs/<first two digits>/<SHA-256>.json` in its folder."""

    folder: Path
    """The suite's."""

    def keep(self, content: bytes) -> str:
        """Write a content unless it is there already.

        Raises:
            UnfitError: it is too long, or a part of its path is a link.
        """
        if len(content) > MAX_BLOB:
            raise UnfitError(f"blobs of at most {MAX_BLOB} bytes", f"{len(content)} bytes")
        digest = hashlib.sha256(content).hexdigest()
        names = blob_names(digest)
        if not self._holds(names, content):
            with Writing(self.folder) as writing:
                with writing.create(*names) as file:
                    file.write(content)
                writing.put()
        return digest

    def fetch(self, digest: str, size: int) -> Json:
        """The value of a blob, once its size and its digest have been found right.

        Raises:
            UnfitError: the digest is none; the file is missing, a link, too long, or of another content.
        """
        if _DIGEST.fullmatch(digest) is None:
            raise UnfitError("a blob's SHA-256", repr(digest[:80]))
        try:
            content = read(min(size, MAX_BLOB), self.folder, *blob_names(digest))
        except UnfitError as error:
            raise UnfitError(f"blob {digest[:12]} of {size} bytes", f"none ({error})") from error
        if hashlib.sha256(content).hexdigest() != digest or len(content) != size:
            raise UnfitError(f"blob {digest[:12]} of {size} bytes", "another content under its name")
        return parse(content, most=MAX_BLOB)

    def _holds(self, names: tuple[str, ...], content: bytes) -> bool:
        try:
            return read(len(content), self.folder, *names) == content
        except UnfitError:
            return False


def blob_names(digest: str) -> tuple[str, str, str]:
    """Folders and file of the blob of this digest, below the suite's folder."""
    return FOLDER, digest[:2], f"{digest}.json"


def _reference(pairs: dict[str, Json]) -> tuple[str, int]:
    match pairs:
        case {"$blob": str(digest), "bytes": int(size), **rest} if not rest and not isinstance(size, bool) and size > 0:
            return digest, size
        case _:
            raise UnfitError('a reference to a blob, {"$blob": SHA-256, "bytes": n}', "another object with `$blob`")


def _measured(value: Json) -> tuple[Json, int]:
    """The value with the smallest long parts taken out, and how many bytes of JSON are left."""
    form: Json = value
    if is_list(value):
        items = [_measured(one) for one in value]
        form = [one for one, _ in items]
        size = 1 + sum(one + 1 for _, one in items)
    elif is_object(value):
        fields = {name: _measured(one) for name, one in value.items()}
        form = {name: one for name, (one, _) in fields.items()}
        size = 1 + sum(len(text_of(name).encode()) + 2 + one for name, (_, one) in fields.items())
    else:
        size = len(text_of(value).encode())
    if size <= INLINE:
        return form, size
    return _Long(text_of(value).encode()), 100  # what a reference takes, or a little less


def _settled(value: Json, keep: Keep | None) -> Json:
    if isinstance(value, _Long) and keep is not None:
        return {"$blob": keep(value.content), "bytes": len(value.content)}
    if is_list(value):
        return [_settled(one, keep) for one in value]
    if is_object(value):
        pairs = value.items()
        return {f"${name}" if _ESCAPED.fullmatch(name) else name: _settled(one, keep) for name, one in pairs}
    return value
