// AG-UI's client: runs, streamed text, interrupts that are resumed, aborting. It checks the order of events itself.

import { HttpAgent } from "@ag-ui/client";
import { randomUUID } from "node:crypto";
import { assert, calledOff, check, finish, key, url } from "./checks.mjs";

/** A thread with a team, and all events that it is told. */
function thread(team, text) {
  const agent = new HttpAgent({
    url: `${url}/ag-ui/${team}`,
    headers: { authorization: `Bearer ${key}` },
    threadId: randomUUID(),
    initialMessages: [{ id: randomUUID(), role: "user", content: text }],
  });
  const events = [];
  agent.subscribe({ onEvent: ({ event }) => void events.push(event) });
  return { agent, events };
}

await check("a run is told from its beginning to its end", async () => {
  const { agent, events } = thread("echo", "Hello");
  const { newMessages } = await agent.runAgent();
  assert.equal(newMessages.at(-1).content, "You are welcome.");
  assert.equal(events[0].type, "RUN_STARTED");
  assert.equal(events.at(-1).type, "RUN_FINISHED");
  assert.ok(events.some((event) => event.type === "TEXT_MESSAGE_CONTENT"));
});

await check("a run that fails says so", async () => {
  const { agent, events } = thread("fails", "timeout");
  await agent.runAgent().catch(() => {});
  assert.equal(events.at(-1).type, "RUN_ERROR");
  assert.doesNotMatch(JSON.stringify(events), /swordfish/);
});

await check("an unknown team is an error", async () => {
  await assert.rejects(thread("nobody", "Hello").agent.runAgent());
});

for (const [word, approved] of [["yes", true], ["no", false]]) {
  await check(`an approval is an interrupt, and ${word} is ${word}`, async () => {
    const { agent, events } = thread("asks", `Pay by AG-UI: ${word}.`);
    await agent.runAgent();
    const asked = events.at(-1);
    assert.equal(asked.type, "RUN_FINISHED");
    assert.equal(asked.outcome.type, "interrupt");
    const [interrupt] = asked.outcome.interrupts;
    await agent
      .runAgent({ resume: [{ interruptId: interrupt.id, status: "resolved", payload: { approved } }] })
      .catch(() => {});
    assert.equal(events.at(-1).type, approved ? "RUN_FINISHED" : "RUN_ERROR");
    assert.notEqual(events.at(-1).outcome?.type, "interrupt");
  });
}

await check("a run that is aborted ends", async () => {
  await calledOff(async (signal) => {
    const { agent } = thread("gate", "Hello");
    signal.addEventListener("abort", () => agent.abortRun());
    await agent.runAgent();
  });
});

finish();
