// Vercel's AI SDK, by its provider for compatible servers and by the one for OpenAI (which speaks Responses).

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, streamText } from "ai";
import { assert, calledOff, check, finish, key, url } from "./checks.mjs";

const compatible = createOpenAICompatible({ name: "echelon", baseURL: `${url}/v1`, apiKey: key, includeUsage: true });
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
const WIRES = { compatible: (name) => compatible(name), responses: (name) => openai.responses(name) };

for (const [wire, model] of Object.entries(WIRES)) {
  const ask = (name, more = {}) => ({ model: model(name), prompt: "Hello", maxRetries: 0, ...more });

  await check(`${wire}: a text is generated with its usage`, async () => {
    const { text, finishReason, usage } = await generateText(ask("echo"));
    assert.equal(text, "You are welcome.");
    assert.equal(finishReason, "stop");
    assert.ok(usage.totalTokens > 0);
    assert.equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
  });

  await check(`${wire}: a text is streamed with its usage`, async () => {
    const stream = streamText(ask("echo", { onError() {} }));
    let text = "";
    for await (const piece of stream.textStream) text += piece;
    assert.equal(text, "You are welcome.");
    assert.equal(await stream.finishReason, "stop");
    assert.ok((await stream.usage).totalTokens > 0);
  });

  await check(`${wire}: an unknown model is an error with its status`, async () => {
    const error = await generateText(ask("nobody")).then(() => null, (raised) => raised);
    assert.ok(APICallError.isInstance(error), String(error));
    assert.equal(error.statusCode, 404);
    assert.equal(error.isRetryable, false);
    assert.match(error.message, /nobody/);
  });

  await check(`${wire}: a stream that is aborted ends the run`, async () => {
    await calledOff(async (abortSignal) => {
      for await (const _ of streamText(ask("gate", { abortSignal, onError() {} })).textStream);
    });
  });

  await check(`${wire}: an approval is asked for in words and given in words`, async () => {
    const messages = [{ role: "user", content: `Pay by ${wire}.` }];
    const asked = await generateText({ model: model("asks"), messages, maxRetries: 0 });
    assert.match(asked.text, /May this be paid\?/);
    const more = [...messages, { role: "assistant", content: asked.text }, { role: "user", content: "yes" }];
    const done = await generateText({ model: model("asks"), messages: more, maxRetries: 0 });
    assert.doesNotMatch(done.text, /May this be paid\?/);
  });
}

finish();
