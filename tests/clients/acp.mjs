// ACP's TypeScript SDK as an editor: it runs `echelon acp`, prompts, is asked for permission, and calls a turn off.

import { client, methods, ndJsonStream } from "@agentclientprotocol/sdk";
import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import { assert, check, finish } from "./checks.mjs";

const { ECHELON, FOLDER, JOURNAL } = process.env;
const PAYMENT = '{"iban": "X", "cents": 5}';

/** An editor with one session of a team; permission is given by the kind of option, and "" dismisses. */
async function editing(team, kind, work) {
  const agent = spawn(ECHELON, ["acp", `tests.clients.acp_team:${team}`, "--journal", `${JOURNAL}/${team}.db`], {
    cwd: FOLDER,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const updates = [], asked = [];
  const editor = client({ name: "editor" })
    .onNotification(methods.client.session.update, ({ params }) => void updates.push(params.update))
    .onRequest(methods.client.session.requestPermission, ({ params }) => {
      asked.push(params);
      const chosen = params.options.find((option) => option.kind === kind);
      return { outcome: chosen ? { outcome: "selected", optionId: chosen.optionId } : { outcome: "cancelled" } };
    });
  const stream = ndJsonStream(Writable.toWeb(agent.stdin), Readable.toWeb(agent.stdout));
  try {
    await editor.connectWith(stream, async (context) => {
      const hello = await context.request(methods.agent.initialize, { protocolVersion: 1, clientCapabilities: {} });
      assert.equal(hello.protocolVersion, 1);
      const { sessionId } = await context.request(methods.agent.session.new, { cwd: FOLDER, mcpServers: [] });
      const prompt = (text) =>
        context.request(methods.agent.session.prompt, { sessionId, prompt: [{ type: "text", text }] });
      await work(prompt, updates, asked);
    });
  } finally {
    agent.kill();
  }
}

const said = (updates) =>
  updates
    .filter((update) => update.sessionUpdate === "agent_message_chunk")
    .map((update) => update.content.text)
    .join("");

await check("a turn is answered in chunks and ends", () =>
  editing("answering", "allow_once", async (prompt, updates) => {
    assert.equal((await prompt("Hello")).stopReason, "end_turn");
    assert.match(said(updates), /I heard: .*Hello/s);
  }));

await check("a second turn is a turn of the same session", () =>
  editing("answering", "allow_once", async (prompt, updates) => {
    await prompt("One");
    assert.equal((await prompt("Two")).stopReason, "end_turn");
    assert.match(said(updates), /Two/);
  }));

await check("a plan is told while it is worked through", () =>
  editing("asking", "allow_once", async (prompt, updates) => {
    await prompt(PAYMENT);
    assert.ok(updates.some((update) => update.sessionUpdate === "plan"));
  }));

for (const [kind, words] of [["allow_once", /paid 5/], ["reject_once", /said no|denied/], ["", /./]]) {
  await check(`permission is asked, and ${kind || "dismissed"} holds`, () =>
    editing("asking", kind, async (prompt, updates, asked) => {
      const { stopReason } = await prompt(PAYMENT);
      assert.equal(asked.length, 1);
      assert.ok(["end_turn", "cancelled", "refusal"].includes(stopReason));
      assert.match(said(updates), words);
      if (kind !== "allow_once") assert.doesNotMatch(said(updates), /paid 5/);
    }));
}

finish();
