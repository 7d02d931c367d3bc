// OpenAI's own SDK for JavaScript: models, chats, responses, errors, calling off, approvals.

import OpenAI from "openai";
import { assert, calledOff, check, finish, HELLO, key, url } from "./checks.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });

async function refused(ask) {
  try {
    await ask();
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}

await check("models are listed with when they were made", async () => {
  const { data } = await client.models.list();
  assert.ok(data.some((model) => model.id === "echo"));
  assert.ok(data.every((model) => model.object === "model" && Number.isInteger(model.created)));
});

await check("a chat answers with usage", async () => {
  const answer = await client.chat.completions.create({ model: "echo", messages: HELLO });
  assert.equal(answer.choices[0].message.content, "You are welcome.");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.model, "echo");
  const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
  assert.ok(total_tokens > 0 && total_tokens === prompt_tokens + completion_tokens);
});

await check("a streamed chat ends with its reason and then its usage", async () => {
  const options = { model: "echo", messages: HELLO, stream: true, stream_options: { include_usage: true } };
  const chunks = [];
  for await (const chunk of await client.chat.completions.create(options)) chunks.push(chunk);
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  assert.equal(text, "You are welcome.");
  assert.equal(chunks.at(-2).choices[0].finish_reason, "stop");
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
});

await check("usage is streamed only if it is asked for", async () => {
  const options = { model: "echo", messages: HELLO, stream: true };
  for await (const chunk of await client.chat.completions.create(options)) {
    assert.equal(chunk.choices.length, 1);
    assert.equal(chunk.usage ?? null, null);
  }
});

await check("the SDK's own runner follows a stream to its end", async () => {
  const completion = await client.chat.completions.stream({ model: "echo", messages: HELLO }).finalChatCompletion();
  assert.equal(completion.choices[0].message.content, "You are welcome.");
});

await check("an unknown model is an error of the SDK's own kind", async () => {
  const error = await refused(() => client.chat.completions.create({ model: "nobody", messages: HELLO }));
  assert.ok(error instanceof OpenAI.NotFoundError, error.constructor.name);
  assert.equal(error.code, "model_not_found");
});

await check("a wrong request names its field", async () => {
  const error = await refused(() => client.chat.completions.create({ model: "echo", messages: [] }));
  assert.ok(error instanceof OpenAI.BadRequestError, error.constructor.name);
  assert.equal(error.param, "messages");
});

await check("a wrong key is refused", async () => {
  const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong", maxRetries: 0 });
  const error = await refused(() => stranger.models.list());
  assert.ok(error instanceof OpenAI.AuthenticationError, error.constructor.name);
});

await check("a stream that is aborted ends the run", async () => {
  await calledOff(async (signal) => {
    const options = { model: "gate", messages: HELLO, stream: true };
    for await (const _ of await client.chat.completions.create(options, { signal }));
  });
});

await check("a request that is aborted ends the run", async () => {
  await calledOff((signal) => client.chat.completions.create({ model: "gate", messages: HELLO }, { signal }));
});

await check("an approval is asked for in words and given in words", async () => {
  const messages = [{ role: "user", content: "Pay the printer." }];
  const asked = await client.chat.completions.create({ model: "asks", messages });
  const said = asked.choices[0].message;
  assert.match(said.content, /May this be paid\?/);
  const done = await client.chat.completions.create({
    model: "asks",
    messages: [...messages, { role: "assistant", content: said.content }, { role: "user", content: "yes" }],
  });
  assert.equal(done.echelon.outcome, "delivered");
});

await check("a response answers with usage", async () => {
  const answer = await client.responses.create({ model: "echo", input: "Hello" });
  assert.equal(answer.output_text, "You are welcome.");
  assert.equal(answer.status, "completed");
  assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
});

await check("a streamed response has all its events in order", async () => {
  const events = [];
  for await (const event of await client.responses.create({ model: "echo", input: "Hello", stream: true }))
    events.push(event);
  assert.equal(events[0].type, "response.created");
  assert.equal(events.at(-1).type, "response.completed");
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, number) => number),
  );
  const text = events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta);
  assert.equal(text.join(""), "You are welcome.");
  const final = await client.responses.stream({ model: "echo", input: "Hello" }).finalResponse();
  assert.equal(final.output_text, "You are welcome.");
});

await check("a response's approval is an item that is answered with an item", async () => {
  const asked = await client.responses.create({ model: "asks", input: "Pay the baker." });
  const request = asked.output.find((item) => item.type === "mcp_approval_request");
  const answer = { type: "mcp_approval_response", approval_request_id: request.id, approve: true };
  const done = await client.responses.create({ model: "asks", previous_response_id: asked.id, input: [answer] });
  assert.equal(done.status, "completed");
  const again = { model: "asks", previous_response_id: asked.id, input: [answer] };
  assert.equal((await refused(() => client.responses.create(again))).status, 400);
});

finish();
