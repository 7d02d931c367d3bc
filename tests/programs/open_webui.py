"""Open WebUI in a headless browser against `echelon serve`: an answer streams, Stop stops, a yes in the chat pays.

    python -m venv ow && ow/bin/pip install open-webui                   # 0.12.4: 7 GB with what it brings
    pip install --target pw playwright                                   # the browser is the system's Chromium
    PYTHONPATH=pw .venv/bin/python -m tests.programs.open_webui --open-webui ow/bin/open-webui --shots shots

Prints a line per check; ends with status 1 at the first one that fails. Everything stays on the loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

from benchmarks.served import Served, served

PATIENCE = 120.0
"""Seconds until Open WebUI has started; it takes half of that."""
WORDS = 20
TEAM = """
import anyio
from pydantic import BaseModel

from echelon import Agent, Approval, Person, Supervisor, Workflow, worker
from echelon.protocols.conversation import Reply
from echelon.protocols.messages import Usage
from echelon.protocols.prices import FREE


class Slow:
    '''Says a word every quarter of a second.'''

    name, price = "slow", FREE

    async def reply(self, request, listen=None):
        pieces = [f"word{number} " for number in range(20)]
        for piece in pieces:
            await anyio.sleep(0.25)
            listen(piece)
        return Reply(text="".join(pieces), usage=Usage(calls=1, input=1, output=20))


class Payment(BaseModel):
    iban: str
    cents: int


@worker(effect=True)
async def pay(payment: Payment, approval: Approval) -> str:
    '''Pays.'''
    return f"paid {payment.cents} to {payment.iban}"


cfo = Person("cfo", "May this be paid?", accepts=Payment, returns=Approval)
flow = Workflow(Payment, str)
flow.output(flow.step(pay, {"payment": flow.task, "approval": flow.step(cfo, flow.task)}))
desk = Supervisor("desk", accepts=Payment, returns=str, team=[cfo, pay], planner=flow)
team = Agent("talker", "Talk.", accepts=str, returns=str, models=[Slow()])
"""


class Chat:
    """A chat in the browser."""

    def __init__(self, page: Any, url: str, model: str) -> None:
        """Open a new one with a model."""
        self.page = page
        page.goto(f"{url}/?models={model}", wait_until="domcontentloaded")
        page.wait_for_selector("#chat-input")
        page.wait_for_timeout(1_500)
        news = page.locator('button:has-text("Okay")')  # what is new in this version, at the first visit
        if news.count():
            news.first.click()

    def say(self, text: str) -> None:
        """Type a message and send it."""
        self.page.click("#chat-input")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    @property
    def answer(self) -> str:
        """The last answer, as far as it is shown."""
        answers = self.page.locator(".chat-assistant")
        return str(answers.last.inner_text()) if answers.count() else ""

    def until(self, found: Callable[[str], bool], seconds: float = 20.0) -> list[str]:
        """Wait until the last answer is as wanted; all that was shown until then, each text once.

        Raises:
            AssertionError: it never was.
        """
        shown = [self.answer]
        end = time.monotonic() + seconds
        while not found(shown[-1]):
            if time.monotonic() > end:
                raise AssertionError(shown[-1])
            self.page.wait_for_timeout(50)
            if (now := self.answer) != shown[-1]:
                shown.append(now)
        return shown


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def open_webui(command: str, folder: Path, server: Served) -> Generator[str]:
    """Open WebUI without accounts, embeddings and the network; its address."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "DATA_DIR": str(folder), "WEBUI_SECRET_KEY": "of this test",
        "WEBUI_AUTH": "False", "OPENAI_API_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": server.key,
        "ENABLE_FORWARD_USER_INFO_HEADERS": "True", "ENABLE_OLLAMA_API": "False", "OFFLINE_MODE": "True",
        "HF_HUB_OFFLINE": "1", "BYPASS_EMBEDDING_AND_RETRIEVAL": "True", "ANONYMIZED_TELEMETRY": "False",
    }  # fmt: skip
    arguments = [command, "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (
        (folder / "log").open("w", encoding="utf-8") as log,
        subprocess.Popen(arguments, cwd=folder, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            url, end = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
            while not _is_up(url):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((folder / "log").read_text(encoding="utf-8")[-2_000:])
                time.sleep(0.5)
            yield url
        finally:
            process.kill()


def _is_up(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health").status_code == 200
    except httpx2.TransportError:
        return False


def statuses(server: Served) -> dict[str, int]:
    """How often runs turned what, as the meters say."""
    told = httpx2.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {server.key}"}).text
    lines = [line for line in told.splitlines() if line.startswith("echelon_runs_total{")]
    return {line.split('"')[1]: int(float(line.split()[-1])) for line in lines}


def checks(page: Any, url: str, server: Served, log: Path, shot: Callable[[str], None]) -> Generator[str]:
    """Try everything; what was found, one line per check."""
    chat = Chat(page, url, "talker")
    chat.say("Tell me twenty words")
    shown = chat.until(lambda text: text.count("word") == WORDS)
    counts = [text.count("word") for text in shown]
    assert counts == sorted(counts), counts
    assert len(set(counts)) > WORDS // 2, counts
    shot("streamed")
    yield f"an answer streams: {len(set(counts))} states of it were seen"

    page.wait_for_timeout(3_000)
    posts = [line for line in _requests(log) if line["route"] == "/v1/chat/completions"]
    asides = [line for line in posts if not line["run"]]
    assert asides, posts
    assert statuses(server)["running"] == 1
    yield f"hidden calls run no team: {len(posts)} requests, {len(asides)} of them aside, 1 run"

    chat.say("Again")
    chat.until(lambda text: "word3" in text and f"word{WORDS - 1}" not in text)
    page.click('button[aria-label="Stop"]')
    end = time.monotonic() + 5
    while not (stopped := statuses(server).get("cancelled", 0)) and time.monotonic() < end:
        page.wait_for_timeout(100)
    assert stopped == 1, statuses(server)
    shot("stopped")
    yield "Stop calls the run off"

    chat = Chat(page, url, "desk")
    chat.say('{"iban": "DE02", "cents": 500}')
    chat.until(lambda text: "May this be paid?" in text)
    shot("asked")
    page.wait_for_timeout(2_000)
    assert statuses(server).get("waiting") == 1, statuses(server)
    chat.say("yes")
    chat.until(lambda text: "paid 500 to DE02" in text)
    shot("answered")
    yield "an approval is asked and answered in the chat"


def _requests(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if '"route"' in line]


def main() -> None:
    """Start everything, and check."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.open_webui", description=__doc__)
    parser.add_argument("--open-webui", required=True, type=Path, help="its command")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="default: the one on the PATH")
    parser.add_argument("--shots", required=True, type=Path, help="folder for screenshots")
    given = parser.parse_args()
    given.shots.mkdir(exist_ok=True)
    playwright: Any = import_module("playwright.sync_api")  # not in our lock
    with TemporaryDirectory(prefix="echelon-open-webui-") as name:
        folder, data = Path(name), Path(name) / "data"
        data.mkdir()
        with (
            served(folder, TEAM, "team.py:desk") as server,
            open_webui(str(given.open_webui.absolute()), data, server) as url,
            playwright.sync_playwright() as started,
        ):
            browser = started.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1_200, "height": 850})
            for line in checks(
                page, url, server, folder / "log", lambda n: page.screenshot(path=given.shots / f"{n}.png")
            ):
                print(line, flush=True)  # noqa: T201 - a program that tells what it found
            browser.close()


if __name__ == "__main__":
    main()
