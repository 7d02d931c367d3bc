"""The bill: its lines add up, in whatever order things ended, and nothing that was spent is left out."""

from hypothesis import given
from hypothesis import strategies as st

from echelon.protocols.events import (
    Delegated,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Event,
    PlanRequested,
    ReviewRequested,
    RunStarted,
)
from echelon.protocols.messages import NOTHING_USED, Budget, Failure, Json, Usage
from echelon.protocols.plans import Fault
from echelon.supervisor.views.bill import Bill, bill

STARTED = RunStarted(run="r", worker="desk", task=None, definitions={}, budget=Budget())


def delegated(path: str, step: str, worker: str, attempt: int = 1) -> Delegated:
    """Hand a step over."""
    return Delegated(path=path, step=step, worker=worker, attempt=attempt, payload={}, digest="d", reason="ready")


def started(path: str, n: int = 0, *, model: str = "small", reserved: Usage = NOTHING_USED) -> EffectStarted:
    """Begin a model call."""
    request: dict[str, Json] = {"model": model, "head_digest": "h", "messages": []}
    return EffectStarted(path=path, kind="model", n=n, digest="d", request=request, reserved=reserved)


def finished(path: str, usage: Usage, n: int = 0, answered: Usage | None = None) -> EffectFinished:
    """End a model call; `answered` is what the last try alone cost."""
    result = None if answered is None else {"text": "x", "usage": answered.model_dump(mode="json")}
    return EffectFinished(path=path, kind="model", n=n, digest="d", result=result, usage=usage)


def cost(usd: float, calls: int = 1) -> Usage:
    """Spend some money."""
    return Usage(calls=calls, input=100, output=10, usd=usd)


def lines(found: Bill) -> dict[str, float]:
    """USD by worker."""
    return {line.name: line.usage.usd for line in found.workers}


def test_each_worker_of_a_tree_has_its_own_line() -> None:
    """The planner and the reviewer are workers on the bill, and a team's own people stand behind its name."""
    events: list[Event] = [
        STARTED,
        PlanRequested(n=1, reason="a task"),
        started("/plan#1", model="large"),
        finished("/plan#1", cost(0.5)),
        delegated("", "find", "research"),
        delegated("/find#1", "look", "searcher"),
        started("/find#1/look#1/tier#0"),
        finished("/find#1/look#1/tier#0", cost(0.25)),
        ReviewRequested(path="/find#1", round=0),
        started("/find#1/review#1"),
        finished("/find#1/review#1", cost(0.125)),
    ]
    found = bill(events)
    assert lines(found) == {"planner": 0.5, "research/searcher": 0.25, "research/reviewer": 0.125}
    assert {line.name: line.usage.usd for line in found.models} == {"large": 0.5, "small": 0.375}


def test_the_work_of_the_root_is_on_the_root() -> None:
    """A run need not be a supervisor's."""
    assert lines(bill([STARTED, started(""), finished("", cost(0.1))])) == {"desk": 0.1}


def test_effects_that_are_no_model_calls_stand_under_their_kind() -> None:
    """A paid call is on the bill too."""
    events: list[Event] = [
        EffectStarted(path="", kind="call", n=0, digest="d"),
        EffectFinished(path="", kind="call", n=0, digest="d", usage=Usage(calls=1, usd=0.01)),
    ]
    assert [line.name for line in bill(events).models] == ["call"]


def test_a_call_that_was_cut_off_costs_all_that_it_could_and_says_so() -> None:
    """Nobody knows what it cost, so nobody is told that it was free."""
    found = bill([STARTED, started("", reserved=cost(0.3))])
    assert (found.total.usd, found.total.usd_assumed, found.in_doubt.usd) == (0.3, 0.3, 0.3)


def test_a_call_done_again_after_a_crash_is_paid_twice() -> None:
    """The first one may have reached the provider."""
    found = bill([STARTED, started("", reserved=cost(0.3)), started("", reserved=cost(0.3)), finished("", cost(0.1))])
    assert found.total.usd == 0.4
    assert found.total.usd_assumed == 0.3


def test_a_failed_call_is_paid_for() -> None:
    """Usage survives failures."""
    failed = EffectFailed(
        path="", kind="model", n=0, digest="d", failure=Failure(kind="truncated", message="cut"), usage=cost(0.2)
    )
    assert bill([STARTED, started(""), failed]).total.usd == 0.2


def test_later_attempts_are_work_done_again_with_all_below_them() -> None:
    """What a retry costs is what stands at its place and below."""
    events: list[Event] = [
        STARTED,
        delegated("", "find", "research"),
        started("/find#1"),
        finished("/find#1", cost(0.1)),
        delegated("", "find", "research", 2),
        delegated("/find#2", "look", "searcher"),
        started("/find#2/look#1"),
        finished("/find#2/look#1", cost(0.2)),
    ]
    assert bill(events).again.usd == 0.2


def test_a_corrected_plan_is_work_done_again() -> None:
    """A plan asked for because the last one was refused is; one asked for because work went on is not."""
    fault = Fault(kind="cycle", step="a", message="a needs a")
    for request, again in (
        (PlanRequested(n=2, reason="faults", faults=(fault,)), 0.1),
        (PlanRequested(n=2, reason="look"), 0),
    ):
        assert bill([STARTED, request, started("/plan#2"), finished("/plan#2", cost(0.1))]).again.usd == again


def test_tries_before_the_one_that_answered_are_work_done_again() -> None:
    """The call layer books all tries in one sum; the reply knows its own part."""
    found = bill([STARTED, started(""), finished("", cost(0.3, calls=3), answered=cost(0.1))])
    assert (found.again.usd, found.again.calls) == (0.2, 2)


def test_nothing_was_spent_on_nothing() -> None:
    """An empty journal has an empty bill."""
    assert bill([]) == Bill(total=NOTHING_USED, workers=(), models=(), again=NOTHING_USED, in_doubt=NOTHING_USED)


USAGES = st.builds(
    Usage,
    calls=st.integers(1, 3),
    input=st.integers(0, 100_000),
    output=st.integers(0, 1_000),
    usd=st.integers(0, 2_000_000_000).map(lambda nano: nano / 1_000_000_000),
)
PLACES = st.sampled_from(["", "/a#1", "/a#2", "/b[3]#1", "/team#1", "/team#1/a#1", "/team#1/plan#1", "/elsewhere#9/x"])
EFFECTS = st.lists(
    st.tuples(PLACES, st.sampled_from(["small", "large"]), USAGES, st.sampled_from(["finished", "failed", "in doubt"]))
)
TREE: list[Event] = [
    STARTED,
    delegated("", "a", "reader"),
    delegated("", "a", "reader", 2),
    delegated("", "b[3]", "checker"),
    delegated("", "team", "research"),
    PlanRequested(path="/team#1", n=1, reason="a task"),
    delegated("/team#1", "a", "reader"),
]


def told(effects: list[tuple[str, str, Usage, str]]) -> list[list[Event]]:
    """Each effect's events, by effect."""
    found: list[list[Event]] = []
    for n, (path, model, usage, end) in enumerate(effects):
        begin = started(path, n, model=model, reserved=usage)
        failure = Failure(kind="overloaded", message="busy")
        ends: dict[str, list[Event]] = {
            "finished": [finished(path, usage, n)],
            "failed": [EffectFailed(path=path, kind="model", n=n, digest="d", failure=failure, usage=usage)],
            "in doubt": [],
        }
        found.append([begin, *ends[end]])
    return found


def rounded(usage: Usage) -> dict[str, float]:
    """A usage whose sums may be compared."""
    return {name: round(value, 6) for name, value in usage.model_dump().items()}


@given(effects=EFFECTS)
def test_the_lines_of_a_bill_add_up_to_its_total(effects: list[tuple[str, str, Usage, str]]) -> None:
    """By worker and by model, field by field; and the total is what was spent."""
    found = bill([*TREE, *(event for events in told(effects) for event in events)])
    for column in (found.workers, found.models):
        assert rounded(sum((line.usage for line in column), NOTHING_USED)) == rounded(found.total)
    assert rounded(found.total)["usd"] == round(sum(usage.usd for _, _, usage, _ in effects), 6)
    assert found.total.usd_assumed == found.in_doubt.usd
    assert found.again.usd <= found.total.usd + 1e-9


@given(effects=EFFECTS, data=st.data())
def test_a_bill_does_not_depend_on_who_ended_first(
    effects: list[tuple[str, str, Usage, str]], data: st.DataObject
) -> None:
    """The order of arrival is timing."""
    ordered = bill([*TREE, *(event for events in told(effects) for event in events)])
    shuffled = data.draw(st.permutations(told(effects)))
    begun = [event for events in shuffled for event in events[:1]]
    ended = [event for events in data.draw(st.permutations(shuffled)) for event in events[1:]]
    again = bill([*TREE, *begun, *ended])
    assert rounded(again.total) == rounded(ordered.total)
    assert {line.name: rounded(line.usage) for line in again.workers} == {
        line.name: rounded(line.usage) for line in ordered.workers
    }
