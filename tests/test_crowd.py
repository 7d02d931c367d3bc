"""The crowd counts what it says: a small one loses nothing, and what is wrong with an answer is seen."""

from __future__ import annotations

import asyncio
import doctest
import os
from pathlib import Path

import pytest

from benchmarks import crowd
from benchmarks.served import served


def test_a_small_crowd_loses_nothing(tmp_path: Path) -> None:
    """Over real sockets, from a server in a process of its own."""
    with served(tmp_path, crowd.TEAM.substitute(pieces=crowd.PIECES, delay=0.1), "--quiet") as server:
        heard = asyncio.run(crowd.crowd(server, 20))
        assert crowd.Use.of(server.process.pid).megabytes > 1
    assert [(one.lost, one.misplaced, one.foreign, one.is_whole) for one in heard] == [(0, 0, 0, True)] * 20
    assert all(one.seconds >= 0.1 for one in heard)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """What it wrote is in the error."""
    with pytest.raises(RuntimeError, match="has no 'team'"), served(tmp_path, "nothing = 1"):
        raise AssertionError("it started")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (" ".join(f"3:{piece}" for piece in range(crowd.PIECES)), (0, 0, 0)),
        (" ".join(f"3:{piece}" for piece in reversed(range(crowd.PIECES))), (0, crowd.PIECES - 1, 0)),
        (" ".join(f"4:{piece}" for piece in range(crowd.PIECES)), (crowd.PIECES, 0, crowd.PIECES)),
        ("3:0 3:0", (crowd.PIECES - 1, 1, 0)),
        ("", (crowd.PIECES, 0, 0)),
    ],
)
def test_what_is_wrong_with_an_answer_is_counted(text: str, wrong: tuple[int, int, int]) -> None:
    """Lost, out of order or twice, somebody else's."""
    heard = crowd.judged(3, text, 1.0, is_whole=True)
    assert (heard.lost, heard.misplaced, heard.foreign) == wrong


def test_the_examples_of_the_crowd_are_true() -> None:
    """They look at this very process."""
    assert doctest.testmod(crowd, extraglobs={"os": os}).failed == 0
