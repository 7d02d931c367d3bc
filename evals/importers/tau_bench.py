"""Trajectories of tau-bench: an agent with tools serves a simulated user, and a database says whether it succeeded.

A file is a list of `{task_id, trial, reward, info, traj}`; one task in one trial is one scenario. Every assistant
message is a model call with all that was said before it, every answered tool call a tool run. The task's actions are
the reference trajectory, its outputs what some answer must mention, the reward is the run's success (1: yes).
Source: github.com/sierra-research/tau-bench, `tau_bench/run.py` and `tau_bench/types.py` (Yao et al. 2024,
arXiv:2406.12045).

The file does not name the model (the caller may: `About.model`), and has no tool schemas, parameters, tokens, prices
or times. The user's simulator is no part of the run; what it says after the agent's last word is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import PurePath
from typing import BinaryIO, Final, cast

from ...protocols.conversation import AssistantMessage, Head, Reply
from ...protocols.errors import ScenarioError
from ...protocols.messages import Done, Failed, Failure, Json, JsonReport, Usage
from ..scenario import Ending, ExpectedCall, Reference, Scenario, Success
from . import chat
from .gaps import Lacking, note
from .hearing import hear
from .imported import NOTHING_KNOWN, About, Found, Imported, imported, lacking
from .messages import Said, answer_of, as_text, conversation, reply_of, spoken
from .reading import ForeignFile, Spot, json_or_text
from .work import Act, ModelCall, ToolRun, Work, with_tools

NAME: Final = "tau-bench"
VERSION: Final = "1"
SCORER: Final = "tau-bench reward"
MOST_MESSAGES: Final = 2_000
"""Of one trajectory."""
_DOMAIN = re.compile(r"airline|retail|telecom")
_ID = re.compile(r"(?P<domain>[a-z]+)-(?P<task>.+)-(?P<trial>\d{1,6})")


def read(file: BinaryIO, about: About = NOTHING_KNOWN) -> Imported:
    """Read a file of results; a trajectory at a time is held as JSON.

    Raises:
        ScenarioError: the file is not such a list, or breaks a rule of `reading`.
    """
    source = ForeignFile(file, about.name, about.limits)
    return imported(f"{NAME}/{VERSION}", about, source, (_found(item, about) for item in source.values()))


def _found(item: Spot, about: About) -> Found:
    if not item.has("task_id", "traj", "reward"):
        raise ScenarioError(item.place, "expected a result of tau-bench with task_id, reward, info and traj")
    lacks = lacking("tools", "parameters", "usage", "caching", "prices", "timings", "handoffs")
    if not about.model:
        lacks["model"] = 0
    task_id, trial = item["task_id"].value, item["trial"].count() or 0
    if isinstance(task_id, bool) or not isinstance(task_id, int | str):
        raise item["task_id"].wrong("a number or a name")
    domain = _domain(about.name)
    return Found(
        id=f"{domain}-{task_id}-{trial}",
        place=item.place,
        work=_work(item, about, lacks),
        lacks=lacks,
        tags=("tau-bench", domain, f"task-{task_id}", f"trial-{trial}"),
        reference=_reference(item["info"]["task"]),
        ending=_ending(item),
    )


def _domain(name: str) -> str:
    """The domain, which only the file's name tells.

    Example:
        >>> _domain("gpt-4o-airline.json"), _domain("results.json")
        ('airline', 'task')
    """
    found = _DOMAIN.search(PurePath(name).name.lower())
    return found[0] if found else "task"


def _work(item: Spot, about: About, lacks: Lacking) -> Work:
    info, task = item["info"], item["info"]["task"]
    listed = item["traj"].items()
    if len(listed) > MOST_MESSAGES:  # each call has all that was said before it: the square of this
        raise ScenarioError(item["traj"].place, f"expected at most {MOST_MESSAGES} messages, found {len(listed)}")
    said = [chat.said_of(message, lacks) for message in listed]
    instructions, messages = conversation(said, lacks)
    note(lacks, "instructions", not instructions)
    payload: Json = {"user_id": task["user_id"].text(""), "instruction": task["instruction"].text("")}
    if task.value is None:
        payload, lacks["input"] = None, 0
    head, calls = Head(instructions=instructions), list[ModelCall]()
    for i, message in enumerate(messages):
        if isinstance(message, AssistantMessage):
            answered = Said(role="assistant", text=message.text, calls=message.tool_calls)
            reply = reply_of(answered, "", Usage(calls=1))
            calls.append(
                ModelCall(model=about.model, head=head, messages=messages[:i], answer=reply, usage=reply.usage)
            )
    after = len(calls[-1].messages) + 1 if calls else 0
    acts = with_tools(calls, messages[after:], lacks)
    for gap in ("tools", "parameters", "usage", "caching", "prices", "model"):
        if gap in lacks:
            lacks[gap] = len(calls)
    lacks["timings"] = len(acts)
    report = _report(info, calls, lacks)
    return Work(kind="run", worker=about.agent, payload=payload, report=report, acts=acts)


def _report(info: Spot, calls: list[ModelCall], lacks: Lacking) -> JsonReport:
    """What the agent came to: its last word, if it ended with one."""
    if (error := info["error"].text("")) != "":
        return Failed(failure=Failure(kind="upstream", message=error[:500]))
    last = calls[-1].answer if calls else None
    if not isinstance(last, Reply) or last.tool_calls:
        lacks["output"] = 0
        return Done(output=None)
    return Done(output=last.text)


def _reference(task: Spot) -> Reference:
    if task["actions"].value is None:
        return Reference()
    actions = [
        ExpectedCall(name=action["name"].text(), arguments=action["kwargs"].fields())
        for action in task["actions"].items()
    ]
    mentions = tuple(output.text() for output in task["outputs"].items())
    return Reference(trajectory=tuple(actions), mentions=mentions, origin="tau-bench")


def _ending(item: Spot) -> Ending:
    reward = item["reward"].number()
    if reward is None:
        return Ending()
    why = item["info"]["reward_info"]["info"].value
    evidence = as_text(why) if why else ""
    success: Success = "yes" if abs(reward - 1) <= 1e-6 else "no"  # as tau-bench counts
    return Ending(success=success, score=min(1.0, max(0.0, reward)), scorer=SCORER, evidence=evidence[:2_000])


def write(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """The scenarios as such a file; one whose id is not `domain-task-trial` is a task of its own, in trial 0.

    Raises:
        ScenarioError: a scenario is not one conversation of one agent.
    """
    yield "["
    for number, scenario in enumerate(scenarios):
        yield (",\n" if number else "\n") + chat.line_of(_written(scenario)).rstrip("\n")
    yield "\n]\n"


def _written(scenario: Scenario) -> Json:
    work, header, ending = hear(scenario), scenario.header, scenario.ending
    named = _ID.fullmatch(scenario.id)
    task_id: Json = named["task"] if named else scenario.id
    given = _given(header.input)
    reference = scenario.reference
    actions = [{"name": call.name, "kwargs": call.arguments} for call in reference.trajectory or ()]
    info: dict[str, Json] = {"task": given} if given else {}
    if reference.trajectory is not None:
        info = {"task": {**given, "actions": actions, "outputs": list(reference.mentions)}}
    if isinstance(work.report, Failed):
        info["error"] = work.report.failure.message
    if ending.evidence:
        info["reward_info"] = {"info": json_or_text(ending.evidence)}
    return {
        "task_id": int(task_id) if str(task_id).isdecimal() and str(int(task_id)) == task_id else task_id,
        "reward": _reward(ending),
        "info": info,
        "traj": [chat.said_json(said) for said in _trajectory(scenario.id, work)],
        "trial": int(named["trial"]) if named else 0,
    }


def _given(task: Json) -> dict[str, Json]:
    """The simulated user's part of a task."""
    fields = cast("dict[str, Json]", task) if isinstance(task, dict) else {}
    if fields.keys() == {"user_id", "instruction"} or task is None:
        return fields
    return {"user_id": "", "instruction": as_text(task)}


def _reward(ending: Ending) -> float | None:
    if ending.success == "unscored":
        return None
    return ending.score if ending.score is not None else float(ending.success == "yes")


def _trajectory(ident: str, work: Work) -> list[Said]:
    """The one conversation of a run: all messages of its last call, the reply, and the tools that ran after it."""
    calls = [act for act in work.acts if isinstance(act, ModelCall)]
    if any(isinstance(act, Work) for act in work.acts):
        raise ScenarioError(ident, "expected one conversation of one agent, found work that was handed on")
    for before, after in pairwise(calls):
        if after.messages[: len(before.messages)] != before.messages or before.head != after.head:
            raise ScenarioError(
                ident, "expected one conversation, found a model call that does not go on from the last"
            )
    if not calls:
        return []
    last = calls[-1]
    said = spoken(last.head.instructions, last.messages)
    if isinstance(last.answer, Reply):
        said.append(answer_of(last.answer))
        said += _answers(last.answer, work.acts[work.acts.index(last) + 1 :])
    return said


def _answers(reply: Reply, acts: Sequence[Act]) -> Iterator[Said]:
    """What the tools that the last reply asked for gave back, in the order of its calls."""
    runs = [act for act in acts if isinstance(act, ToolRun)]
    for call in reply.tool_calls:
        run = next((run for run in runs if run.name == call.name), None)
        if run is not None and isinstance(run.answer, str):
            runs.remove(run)
            yield Said(role="tool", call_id=call.id, text=run.answer)
