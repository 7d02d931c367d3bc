"""The people of a replay: their recorded answers turn up in the inbox when they did."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from ...protocols.contracts import Listener
from ...protocols.conversation import Delta
from ...protocols.events import Answered, AnswerRefused, Asked, Event
from ...protocols.messages import Answer, Question
from ...supervisor.runs import MemoryJournal
from .tape import Batch, Tape

MayAnswer = Callable[[Question, Question], bool]
"""Whether the answer to a recorded question may be given to another one, asked now at the same place."""


class People(MemoryJournal):
    """A journal in memory with the recorded answers in its inbox.

    The answers that were taken together come together: those for which the run had parked when the caller lets them,
    the others as soon as those before them were taken. An answer goes to the question to which it was given; if that
    is not asked, to the one that stands in its place, where `may_answer` agrees.
    """

    def __init__(self, tape: Tape, may_answer: MayAnswer) -> None:
        super().__init__()
        self._tape = tape
        self._may_answer = may_answer
        self._coming: deque[Batch] = deque(tape.batches)
        self._given: list[Answer] = []
        self._asked: dict[str, Question] = {}
        self._stand_ins: dict[str, Question] = {}
        """By id of the recorded question."""
        self._taken: set[str] = set()

    @property
    def listen(self) -> Listener | None:
        """What the run must tell; None: nobody will answer anything."""
        return self._hear if self._tape.batches else None

    def _hear(self, seen: Event | Delta) -> None:
        """Listen to the run."""
        if isinstance(seen, Asked):
            self._asked[seen.question.id] = seen.question
        elif isinstance(seen, Answered | AnswerRefused):
            self._taken.add(seen.answer.question)

    def come(self) -> bool:
        """Let the next answers come; False: there are no more."""
        if not self._coming:
            return False
        self._given += self._coming.popleft().answers
        return True

    async def take(self, run: str) -> Sequence[tuple[str, bytes]]:
        """The answers that have come so far."""
        given = list(self._addressed())
        if self._coming and not self._coming[0].parked and all(one.question in self._taken for one in given):
            self.come()
            given = list(self._addressed())
        return [(one.question, one.model_dump_json().encode()) for one in given]

    def _addressed(self) -> Iterator[Answer]:
        """The answers that have come, under the ids of the questions as they were asked now."""
        for answer in self._given:
            recorded = self._tape.questions.get(answer.question)
            if recorded is None or recorded.id in self._asked:
                yield answer
            elif (asked := self._instead(recorded)) is not None:
                yield answer.model_copy(update={"question": asked.id, "digest": asked.digest})

    def _instead(self, recorded: Question) -> Question | None:
        """The question that is asked now in the place of a recorded one."""
        if recorded.id not in self._stand_ins:
            known = self._tape.questions.keys() | {one.id for one in self._stand_ins.values()}
            for asked in self._asked.values():
                alike = (asked.path, asked.of, asked.asks) == (recorded.path, recorded.of, recorded.asks)
                if alike and asked.id not in known and self._may_answer(recorded, asked):
                    self._stand_ins[recorded.id] = asked
                    break
        return self._stand_ins.get(recorded.id)
