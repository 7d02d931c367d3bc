// MCP's TypeScript SDKs: version 1, and version 2 in both eras of the protocol.

import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from "@modelcontextprotocol/client";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as Transport1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { assert, calledOff, check, finish, key, url } from "./checks.mjs";

const ME = { name: "clients", version: "1" };
const CAPABLE = { capabilities: { elicitation: {} } };
const headers = { authorization: `Bearer ${key}` };

const SDKS = {
  "v1": { Client: Client1, Transport: Transport1, options: {}, elicits: ElicitRequestSchema },
  "v2, 2025": { Client: Client2, Transport: Transport2, options: {}, elicits: "elicitation/create" },
  "v2, 2026": {
    Client: Client2,
    Transport: Transport2,
    options: { versionNegotiation: { mode: { pin: "2026-07-28" } } },
    elicits: "elicitation/create",
  },
};

for (const [sdk, { Client, Transport, options, elicits }] of Object.entries(SDKS)) {
  /** Does something with a client whose user answers every form so; null: it cannot show forms. */
  const connected = async (answer, use) => {
    const client = new Client(ME, answer === null ? options : { ...CAPABLE, ...options });
    const forms = [];
    if (answer !== null)
      client.setRequestHandler(elicits, async ({ params }) => {
        forms.push(params);
        return answer;
      });
    await client.connect(new Transport(new URL(`${url}/mcp`), { requestInit: { headers } }));
    try {
      return await use(client, forms);
    } finally {
      await client.close();
    }
  };
  const call = (client, name, task, more) =>
    Client === Client1
      ? client.callTool({ name, arguments: { task } }, undefined, more)
      : client.callTool({ name, arguments: { task } }, more);
  const text = (result) => result.content.map((part) => part.text ?? "").join("");

  await check(`${sdk}: the teams are tools`, async () => {
    const { tools } = await connected(null, (client) => client.listTools());
    assert.ok(tools.some((tool) => tool.name === "echo" && tool.inputSchema.type === "object"));
  });

  await check(`${sdk}: a tool answers`, async () => {
    const result = await connected(null, (client) => call(client, "echo", "Hello"));
    assert.match(text(result), /You are welcome\./);
    assert.ok(!result.isError);
  });

  await check(`${sdk}: an unknown tool is an error`, async () => {
    await assert.rejects(connected(null, (client) => call(client, "nobody", "Hello")), /nobody/);
  });

  await check(`${sdk}: an approval is a form, and yes is yes`, async () => {
    await connected({ action: "accept", content: { answer: "yes" } }, async (client, forms) => {
      const result = await call(client, "asks", `Pay ${sdk}.`);
      assert.equal(forms.length, 1);
      assert.match(forms[0].message, /May this be paid\?/);
      assert.ok(!result.isError, text(result));
    });
  });

  await check(`${sdk}: declined is no`, async () => {
    await connected({ action: "decline" }, async (client) => {
      const result = await call(client, "asks", `Do not pay ${sdk}.`);
      assert.ok(result.isError, text(result));
    });
  });

  await check(`${sdk}: a client that cannot ask its user gets no approval`, async () => {
    const result = await connected(null, (client) => call(client, "asks", `Nobody is asked, ${sdk}.`));
    assert.match(text(result), /May this be paid\?/);
  });

  await check(`${sdk}: a call that is aborted ends the run`, async () => {
    // The client stays: that it closes while the notice of its cancellation is on the way, is no cancellation.
    await connected(null, (client) => calledOff((signal) => call(client, "gate", "Hello", { signal })));
  });
}

finish();
