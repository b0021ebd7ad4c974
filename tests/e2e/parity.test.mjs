// The reference's golden tensors in a browser: every case on WebGPU and on the CPU. The engine's code is the visitors', in a
// wasm of its own (tests/parity), so that theirs does not carry what only this test calls.
//
// The same checks as `cargo nextest run --test reference_parity --test modes_parity`, and the same folders: SHOWO_PARITY_DIR, or the
// project's.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";

import { DIST } from "./places.mjs";
import { visiting } from "./visit.mjs";

/** @typedef {{ what: string, compared: number, worst: number, allowed: number, near_ties: number, trouble: string | null }} Finding */

const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;
const FOLDERS = process.env.SHOWO_PARITY_DIR ? [process.env.SHOWO_PARITY_DIR] : ["reference", "more", "understanding"].map((folder) => join(FIXTURES, folder));
/** Where the page asks for the cases' files. */
const PATH = "/parity-cases/";
/** The folder of the program that checks them. The page finds its files among the visitors', whose `fetch_cached.js` it imports. */
const PROGRAM = process.env.SHOWO_PARITY ?? "";

/** @param {string} folder */
function casesOf(folder) {
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  return files.sort().map((file) => ({ folder, name: file.slice(0, -".json".length) }));
}

/** Runs in the page. @param {{ path: string, name: string, device: string }} asked */
async function checkInPage({ path, name, device }) {
  const engine = /** @type {any} */ (await import(/** @type {any} */ ("./parity.js")));
  await engine.default({ module_or_path: fetch("./parity_bg.wasm") });
  const bytes = async (/** @type {string} */ suffix) => {
    const answer = await fetch(`${path}${name}${suffix}`);
    if (!answer.ok && [".weights.safetensors", ".hub/tokenizer.json"].includes(suffix)) return new Uint8Array();
    if (!answer.ok) throw new Error(`${name}${suffix}: ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  };
  try {
    const files = [".json", ".golden.safetensors", ".weights.safetensors", ".hub/tokenizer.json"];
    return await engine.parity(name, device, ...(await Promise.all(files.map(bytes))));
  } catch (problem) {
    throw new Error(/** @type {any} */ (problem).message ?? String(problem));
  }
}

describe("parity with the reference", { timeout: 900_000 }, () => {
  const cases = FOLDERS.flatMap(casesOf);
  const visit = visiting("webgpu");
  /** @type {import("playwright-core").Page} */
  let page;

  before(async () => {
    page = await visit.browser.newPage();
    await page.route(`**${PATH}**`, async (route) => {
      const file = new URL(route.request().url()).pathname.slice(PATH.length);
      const known = cases.find(({ name }) => file.startsWith(`${name}.`));
      try {
        await route.fulfill({ body: readFileSync(join(known?.folder ?? "", file)) });
      } catch {
        await route.fulfill({ status: 404 });
      }
    });
    for (const [file, contentType] of [["parity.js", "text/javascript"], ["parity_bg.wasm", "application/wasm"]]) {
      await page.route(`**/${file}`, (route) => route.fulfill({ path: join(PROGRAM, file), contentType }));
    }
    // Not the page itself: its own engine would be loading a bundle meanwhile.
    await page.route("**/parity.html", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>parity</title>" }));
    await page.goto(`${visit.address}parity.html`);
  });

  test("parity: there are cases", () => {
    for (const folder of FOLDERS) assert.notEqual(casesOf(folder).length, 0, `no case (NAME.json) in ${folder}`);
  });

  test("parity: its program was built", () => {
    assert.ok(existsSync(join(PROGRAM, "parity_bg.wasm")), "SHOWO_PARITY names no program: run `cargo xtask test --only e2e`");
  });

  test("parity: visitors do not load it", () => {
    // What stands in its messages, and the name that a page would call it by.
    assert.ok(!readFileSync(join(DIST, "showo_bg.wasm")).includes("golden.safetensors"));
    assert.ok(!readFileSync(join(DIST, "showo.js")).includes("parity"));
  });

  for (const { folder, name } of cases) {
    if (name.startsWith("dpo_")) {
      test(`parity: ${name} is left to the native test`, (t) => {
        t.diagnostic("the training code is native: `cargo nextest run --test reference_parity` checks its loss");
      });
      continue;
    }
    for (const device of /** @type {const} */ (["webgpu", "cpu"])) {
      test(`parity: ${name} on ${device}`, { timeout: 300_000 }, async (t) => {
        const begin = performance.now();
        const asked = { path: PATH, name, device: device === "cpu" ? "cpu" : "auto" };
        /** @type {{ device: string, rows: Finding[], troubles: string[] }} */
        const checked = await page.evaluate(checkInPage, asked);
        for (const { what, compared, worst, allowed, near_ties } of checked.rows) {
          const ties = near_ties ? `, ${near_ties} at near ties` : "";
          t.diagnostic(`${what}: ${compared} values, ${allowed ? `off by ${worst.toExponential(1)} (allowed ${allowed.toExponential(0)})` : `${worst} differ`}${ties}`);
        }
        t.diagnostic(`${((performance.now() - begin) / 1000).toFixed(1)} s`);
        assert.equal(checked.device, device);
        assert.deepEqual(checked.troubles, [], `${join(folder, name)} on ${device}`);
        assert.ok(checked.rows.length > 0);
      });
    }
  }
});
