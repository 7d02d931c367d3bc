// The console in Chromium: log in, start a run, watch it wait, approve it, see it done, audit it; axe looks at each page.

import axe from "axe-core";
import { chromium } from "playwright-core";
import { assert, check, finish, key, url } from "./checks.mjs";

const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: QUIET });

/** A window that is logged in, and complaints of the page so far. */
async function opened(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(`${url}/login?key=${key}`);
  return { page, context, complaints };
}

/** Serious and critical faults of accessibility on the page as it is. */
async function faults({ page, context }) {
  const session = await context.newCDPSession(page);
  const expression = `${axe.source}; axe.run(document, { resultTypes: ["violations"] }).then((found) => JSON.stringify(
    found.violations.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) => one.id)))`;
  const { result } = await session.send("Runtime.evaluate", { expression, awaitPromise: true });
  return JSON.parse(result.value);
}

let run;

await check("a run is started from a form and waits for a person", async () => {
  const { page, complaints } = await opened({});
  await page.goto(`${url}/start?team=asks`);
  await page.fill("main form [name=v]", "Pay from the console.");
  await page.click("main form button.main");
  await page.waitForSelector("section.ask");
  run = page.url();
  assert.match(run, /\/runs\//);
  assert.deepEqual(complaints, []);
});

for (const [mode, options] of [
  ["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }],
  ["on a phone", { viewport: { width: 390, height: 844 } }],
]) {
  await check(`no page has a serious fault of accessibility, nor is too wide, ${mode}`, async () => {
    const window = await opened(options);
    for (const address of ["/", "/inbox", "/start?team=asks", "/audit", "/evals", new URL(run).pathname]) {
      await window.page.goto(url + address);
      assert.deepEqual([address, ...(await faults(window))], [address]);
      const wider = await window.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wider <= 0, `${address} is ${wider} px too wide`);
    }
  });
}

await check("an approval is given, and the page that is open shows the end by itself", async () => {
  const { page } = await opened({});
  await page.goto(run);
  const other = await opened({});
  await other.page.goto(`${url}/inbox`);
  await other.page.click("section.ask button[value=yes]");
  await page.waitForSelector(".standing .done");
});

await check("the audit finds every chain intact", async () => {
  const { page } = await opened({});
  await page.goto(`${url}/audit?verify=all`);
  assert.match(await page.textContent("main"), /none damaged/);
});

await check("who is not logged in is asked for the key", async () => {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${url}/inbox`);
  assert.match(page.url(), /\/login/);
});

await browser.close();
finish();
