// A2A's SDK for JavaScript: cards, messages, streams, input that is required, cancelling.

import { Role, TaskState } from "@a2a-js/sdk";
import { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, JsonRpcTransportFactory } from "@a2a-js/sdk/client";
import { randomUUID } from "node:crypto";
import { assert, check, finish, gate, key, url } from "./checks.mjs";

const fetchImpl = (address, init = {}) =>
  fetch(address, { ...init, headers: { ...Object.fromEntries(new Headers(init.headers)), authorization: `Bearer ${key}` } });
const factory = new ClientFactory(
  ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ fetchImpl })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  }),
);
const team = (name) => factory.createFromUrl(`${url}/a2a/${name}/`);
const message = (text, more = {}) => ({
  message: {
    messageId: randomUUID(), role: Role.ROLE_USER, parts: [{ content: { $case: "text", value: text } }],
    extensions: [], referenceTaskIds: [], contextId: "", taskId: "", ...more,
  },
});
const words = (value) => JSON.stringify(value);

await check("a card says what the team does and how it streams", async () => {
  const card = await (await team("echo")).getAgentCard();
  assert.equal(card.name, "echo");
  assert.equal(card.capabilities.streaming, true);
});

await check("a message is answered by a task that is completed", async () => {
  const task = await (await team("echo")).sendMessage(message("Hello"));
  assert.equal(task.status.state, TaskState.TASK_STATE_COMPLETED);
  assert.match(words(task.artifacts), /You are welcome\./);
});

await check("a streamed task ends completed", async () => {
  const events = [];
  for await (const event of (await team("echo")).sendMessageStream(message("Hello"))) events.push(event);
  assert.match(words(events), /You are welcome\./);
  const { payload } = events.findLast((event) => event.payload.$case === "statusUpdate");
  assert.equal(payload.value.status.state, TaskState.TASK_STATE_COMPLETED);
});

await check("an approval is input that is required, and yes completes the task", async () => {
  const client = await team("asks");
  const asked = await client.sendMessage(message("Pay by A2A."));
  assert.equal(asked.status.state, TaskState.TASK_STATE_INPUT_REQUIRED);
  assert.match(words(asked.status), /May this be paid\?/);
  const done = await client.sendMessage(message("yes", { taskId: asked.id, contextId: asked.contextId }));
  assert.equal(done.status.state, TaskState.TASK_STATE_COMPLETED);
});

await check("a task that is over takes no more messages", async () => {
  const client = await team("echo");
  const task = await client.sendMessage(message("Hello"));
  await assert.rejects(client.sendMessage(message("More", { taskId: task.id, contextId: task.contextId })));
});

await check("an unknown task is an error", async () => {
  await assert.rejects((await team("echo")).getTask({ id: randomUUID(), tenant: "" }), /not/i);
});

await check("a task that is cancelled ends the run", async () => {
  const client = await team("gate");
  const stream = client.sendMessageStream(message("Hello"));
  const first = (await stream.next()).value;
  const id = first.payload.value.id ?? first.payload.value.taskId;
  await gate("begun");
  const task = await client.cancelTask({ id, tenant: "" });
  assert.equal(task.status.state, TaskState.TASK_STATE_CANCELED);
  await gate("ended");
});

finish();
