// What every program here does: checks by name, one line each on standard output, exit code 1 if any failed.

import assert from "node:assert/strict";

export { assert };
export const { URL: url, KEY: key, CONTROL: control } = process.env;
export const HELLO = [{ role: "user", content: "Hello" }];
export const PATIENCE = 20_000; // milliseconds that a check may take

export async function check(name, run) {
  let timer;
  const stop = new AbortController();
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came of it in ${PATIENCE} ms`)), PATIENCE);
  });
  try {
    await Promise.race([run(stop.signal), late]);
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`FAIL ${name}: ${String(error?.message ?? error).split("\n", 3).join(" ")}`);
    process.exitCode = 1;
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

/** Waits until the gate's model is called ("begun"), or until no call of it is under way ("ended"). */
export async function gate(word) {
  const reply = await fetch(`${control}/${word}`);
  assert.equal(reply.status, 200, `the gate's call has not ${word}`);
}

/** Aborts what `start` does with the signal once it has begun, and sees to it that the run ends. */
export async function calledOff(start) {
  const stop = new AbortController();
  const done = Promise.resolve(start(stop.signal)).catch(() => {});
  try {
    await gate("begun");
  } finally {
    stop.abort();
  }
  await gate("ended");
  await done;
}

// Libraries keep timers and sockets: the last line of every program.
export const finish = () => process.exit(process.exitCode ?? 0);
