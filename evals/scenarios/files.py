"""The files of a suite: opened only inside of its folder and never through a link, replaced only whole.

What a file of a suite names is data that nobody vouches for, so a name is checked before it becomes a path. Who can
write to the folder while it is read is trusted.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ...protocols.jsonl import UnfitError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,159}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.DOTALL)
"""What Windows takes for a device, whatever comes after the dot."""
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe must not make us wait."""


def checked(name: str) -> str:
    """The name of a file or folder, if it is one and leads nowhere else.

    Raises:
        UnfitError: it is not made of 1 to 160 letters, digits, `.`, `_` and `-`, the first a letter or digit; or it is
            a device on Windows.

    Example:
        >>> checked("a.jsonl")
        'a.jsonl'
        >>> checked("../a.jsonl")
        Traceback (most recent call last):
        ...
        echelon.protocols.jsonl.UnfitError: expected the name of a file, found '../a.jsonl'
    """
    if _NAME.fullmatch(name) is None or _DEVICE.fullmatch(name) is not None:
        raise UnfitError("the name of a file", repr(name[:80]))
    return name


def placed(folder: Path, *names: str) -> Path:
    """The path of these names below the folder, if no part of it is a link.

    Raises:
        UnfitError: it is, or one is no name.
    """
    path = folder
    for name in names:
        path /= checked(name)
        if path.is_symlink():
            raise UnfitError("a file inside of the folder", "a symbolic link")
    return path


def opened(folder: Path, *names: str) -> BinaryIO:
    """A file below the folder, for reading.

    Raises:
        UnfitError: there is none, or it is a link, a pipe or whatever else is no plain file.
    """
    path = placed(folder, *names)
    try:
        number = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError as error:
        raise UnfitError("a file that can be read", (error.strerror or "an error").lower()) from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise UnfitError("a plain file", "something else")
    return os.fdopen(number, "rb")


def read(most: int, folder: Path, *names: str) -> bytes:
    """All of a file below the folder; of one that is longer than `most`, no more than shows that it is.

    Raises:
        UnfitError: it cannot be opened, or is longer.
    """
    with opened(folder, *names) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UnfitError(f"at most {most} bytes", "more")
    return content


class Writing:
    """Files on their way into a folder: all of them are written before the first one takes its place.

    Used as a context: what has not been put in place when it ends is gone. Nothing is forced onto the disk: what a
    lost power supply leaves behind does not fit the manifest's digests, and is found.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder if there is none."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._pending: list[tuple[Path, Path]] = []

    def __enter__(self) -> Writing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for unfinished, _ in self._pending:
            with suppress(OSError):
                unfinished.unlink()

    def create(self, *names: str) -> BinaryIO:
        """A new file, which takes its place with `put`.

        Raises:
            UnfitError: a part of its path is a link, or is no name.
        """
        path = placed(self._folder, *names)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{secrets.token_hex(8)}.part")
        number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
        self._pending.append((unfinished, path))
        return os.fdopen(number, "wb")

    def put(self) -> None:
        """Let the files take their places, in the order in which they were created; they are closed by now."""
        while self._pending:
            unfinished, path = self._pending[0]
            unfinished.replace(path)
            del self._pending[0]
