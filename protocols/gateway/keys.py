"""Keys: who may ask, by a file of `name:key` lines that is made at the first start and read again when it changes.

A key is replaced by editing the file: the new lines hold from the next request on, and sessions that were opened with
a key end with it. Lines that begin with `#` are comments.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError

OWNER = "owner"
"""Name of the principal whose key is made at the first start."""
LEAST = 24
"""Characters of a key: what is shorter may be guessed."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_KEY = re.compile(r"[A-Za-z0-9_.~+/=-]+")

HEAD = """\
# Who may use this server: one name:key a line. Edit the lines to add, replace or take away a key; it holds at once.
# Keep this file to yourself (mode 600).
"""


def fresh() -> str:
    """A new key: 256 random bits, fit for a header and a URL."""
    return f"ek-{secrets.token_urlsafe(32)}"


def make(path: Path) -> str:
    """Make the file with one fresh key, for its owner's eyes only, and give the key; "": there is a file already.

    Raises:
        UsageError: the file cannot be made.
    """
    key = fresh()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileExistsError:
        return ""
    except OSError as error:
        raise UsageError(f"the key file {path} cannot be made: {error.strerror}") from error
    with os.fdopen(file, "w", encoding="ascii") as lines:
        lines.write(f"{HEAD}{OWNER}:{key}\n")
    return key


class Keys:
    """The keys in a file.

    Raises:
        UsageError: the file cannot be read, others can read it, or a line is no `name:key`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = (0, 0, 0)
        self._known: Mapping[str, str] = {}
        self._read()

    @property
    def names(self) -> tuple[str, ...]:
        """The principals, in the order of the file."""
        return tuple(self.known)

    @property
    def known(self) -> Mapping[str, str]:
        """Key of each principal; a file that was edited and cannot be read any more lets nobody in."""
        try:
            self._read()
        except UsageError:
            self._known = {}
        return self._known

    def holder(self, key: str) -> str:
        """Whose key this is; "": nobody's. It takes as long for a wrong key as for a right one."""
        given, found = key.encode(), ""
        for name, known in self.known.items():
            if hmac.compare_digest(known.encode(), given):
                found = name
        return found

    def _read(self) -> None:
        """Read the file if it is not as it was."""
        try:
            told = self.path.stat()
            stamp = (told.st_ino, told.st_mtime_ns, told.st_size)
            if stamp == self._stamp:
                return
            if os.name == "posix" and stat.S_IMODE(told.st_mode) & 0o077:
                raise UsageError(f"others may read the key file {self.path}: chmod 600 {self.path}")
            text = self.path.read_text(encoding="ascii")
        except OSError as error:
            self._stamp = (0, 0, 0)
            raise UsageError(f"the key file {self.path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"the key file {self.path} holds something else than ASCII") from error
        self._known = parsed(text, self.path)
        self._stamp = stamp


def parsed(text: str, path: Path) -> Mapping[str, str]:
    """The keys in a file's text, by principal; no message ever shows a key.

    Raises:
        UsageError: a line is no `name:key`, a key is too short, a name or a key stands there twice, or there is none.
    """
    known: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, key = (part.strip() for part in line.partition(":"))
        if not line.strip() or name.startswith("#"):
            continue
        where = f"key file {path}, line {number}"
        if not colon or not _NAME.fullmatch(name) or not _KEY.fullmatch(key):
            raise UsageError(f"{where}: expected name:key")
        if len(key) < LEAST:
            raise UsageError(f"{where}: expected a key of at least {LEAST} characters, found {len(key)}")
        if name in known or key in known.values():
            raise UsageError(f"{where}: this name, or this key, stands there twice")
        known[name] = key
    if not known:
        raise UsageError(f"key file {path}: expected a line name:key, found none")
    return known
