"""A lock file that holds the pid of its holder; the system releases it when the holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ...protocols.errors import BusyError, JournalError

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    _FAR = 1 << 30  # locks are mandatory there: a byte behind the pid, so that others can read who holds it

    def _take(file: int) -> None:
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    _HELD: tuple[type[OSError], ...] = (PermissionError,)
else:
    import fcntl

    def _take(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    _HELD: tuple[type[OSError], ...] = (BlockingIOError,)

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class FileLock:
    """The right to write to `place`, for one holder at a time; the file stays when the lock is released."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.path = place.with_name(place.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or fail at once; nothing happens if it is held already by this very object.

        Raises:
            BusyError: somebody else holds it.
            JournalError: the lock file cannot be made, or the file system knows no locks.
        """
        if self._file is not None:
            return
        try:
            file = os.open(self.path, _FLAGS, 0o600)
        except OSError as error:
            raise JournalError(f"journal {self.place}: lock file {self.path}: {error.strerror}") from error
        try:
            _take(file)
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            os.write(file, f"{os.getpid()}\n".encode())
        except _HELD as error:
            holder = self._holder(file)
            os.close(file)
            raise BusyError(str(self.place), holder) from error
        except OSError as error:
            os.close(file)
            raise JournalError(f"journal {self.place}: lock file {self.path}: {error.strerror}") from error
        self._file = file

    def release(self) -> None:
        """Let the lock go; nothing happens if it is not held."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def _holder(self, file: int) -> int | None:
        os.lseek(file, 0, os.SEEK_SET)
        text = os.read(file, 32).strip()
        return int(text) if text.isdigit() else None
