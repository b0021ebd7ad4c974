// A bundle that arrives damaged is refused in a sentence that names the file; the page stays usable.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { flipped, missing, serveDamaged, truncated } from "./server.mjs";
import { visiting } from "./visit.mjs";

const SHARD = /\/models\/scenes\/.*\.safetensors$/;
const MANIFEST = /\/models\/scenes\/manifest\.json$/;

/** @param {(manifest: any) => void} edit */
const edited = (edit) => (/** @type {Buffer} */ bytes) => {
  const manifest = JSON.parse(bytes.toString());
  edit(manifest);
  return Buffer.from(JSON.stringify(manifest));
};

/** What is done to which file, and words that the sentence must hold besides the file's name. @type {[string, import("./server.mjs").Fault, RegExp[]][]} */
const FAULTS = [
  ["a shard with one flipped bit", { match: SHARD, once: true, change: flipped }, [/SHA-256|hash|checksum/i]],
  ["half a shard", { match: SHARD, once: true, change: truncated }, [/\d/]],
  ["a shard that is missing", { match: SHARD, once: true, change: missing }, [/404|missing|not/i]],
  ["a manifest that is missing", { match: MANIFEST, change: missing }, [/404|missing|not/i]],
  ["half a manifest", { match: MANIFEST, change: truncated }, [/line|column|EOF|JSON/i]],
  ["a manifest of another version", { match: MANIFEST, change: edited((manifest) => { manifest.format = 99; }) }, [/version/i, /99/]],
  ["a tokenizer that is no JSON", { match: /\/models\/scenes\/tokenizer\.json$/, change: () => Buffer.from("<html>") }, []],
];

describe("a damaged bundle", { timeout: 600_000 }, () => {
  const visit = visiting("cpu");

  for (const [what, fault, patterns] of FAULTS) {
    test(`${what} is refused by name`, async () => {
      const damaged = await serveDamaged(visit.address, [fault]);
      const page = await visit.open(damaged.address);
      try {
        const words = await page.refusal();
        assert.ok(fault.victim, "the damaged file was never asked for");
        const name = fault.victim.split("/").at(-1) ?? "";
        assert.ok(words.includes(name), `“${words}” does not name ${name}`);
        for (const pattern of patterns) assert.match(words, pattern);
        assert.deepEqual(page.faults.filter((fault) => fault.startsWith("uncaught")), []);
        assert.deepEqual(await page.events(), []);
      } finally {
        await page.close();
        damaged.close();
      }
    });
  }

  test("once the server is mended, Try again loads", async () => {
    const fault = { match: MANIFEST, change: /** @type {(bytes: Buffer) => Buffer | null} */ (missing) };
    const damaged = await serveDamaged(visit.address, [fault]);
    const page = await visit.open(damaged.address);
    try {
      await page.refusal();
      fault.change = (bytes) => bytes;
      await page.page.getByRole("button", { name: "Try again" }).click();
      await page.loaded();
    } finally {
      await page.close();
      damaged.close();
    }
  });

  test("a verifier that does not arrive is named, keeps no other away, and comes once the server is mended", async () => {
    const fault = { match: /\/reward-parm-000\.safetensors$/, change: /** @type {(bytes: Buffer) => Buffer | null} */ (missing) };
    const damaged = await serveDamaged(visit.address, [fault]);
    const page = await visit.open(damaged.address);
    try {
      assert.match(await page.refusal(), /reward-parm-000\.safetensors.*404/s);
      const usable = await page.state("verifiers");
      assert.ok(!usable.includes("parm") && usable.includes("prm") && usable.includes("orm"), usable.join());

      await page.set({ prompt: "a star", seed: 1, steps: 2, candidates: 2, verifier: "parm", reflection: false });
      await page.press();
      await page.idle();
      assert.match(await page.errorWords(), /reward-parm/, "a drawing that needs it says what is missing");
      assert.ok(await page.page.getByRole("button", { name: "Try again" }).isVisible());

      fault.change = (bytes) => bytes;
      await page.press();
      await page.idle();
      assert.equal((await page.events()).at(-1)?.type, "finished", await page.errorWords());
      assert.equal(await page.errorWords(), "", "what is over is not said any more");
    } finally {
      await page.close();
      damaged.close();
    }
  });

  test("what a server refuses for a while comes by itself", async () => {
    const fault = { match: /\/(manifest\.json|reward-prm-000\.safetensors)$/, change: /** @type {(bytes: Buffer) => Buffer | null} */ (missing) };
    const damaged = await serveDamaged(visit.address, [fault]);
    const page = await visit.open(damaged.address);
    try {
      assert.match(await page.refusal(), /manifest\.json/);
      fault.match = /\/reward-prm-000\.safetensors$/;
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.missing, null, { timeout: 60_000 });
      assert.match(await page.errorWords(), /reward-prm/);
      fault.change = (bytes) => bytes;
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.verifiers.includes("prm"), null, { timeout: 60_000 });
      assert.equal(await page.errorWords(), "");
    } finally {
      await page.close();
      damaged.close();
    }
  });

  test("without the engine's code the page says what is missing", async () => {
    const damaged = await serveDamaged(visit.address, [{ match: /showo_bg\.wasm$/, change: missing }]);
    const page = await visit.open(damaged.address);
    try {
      assert.match(await page.refusal(), /404.*dist|dist.*404/s);
    } finally {
      await page.close();
      damaged.close();
    }
  });
});
