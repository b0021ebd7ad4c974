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
