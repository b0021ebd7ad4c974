// A bundle whose CLIP reads words of its own (format 2), and which says what it judges with: the page offers just that, and scores
// pictures and patches as the native command does.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";

import { launch } from "./browser.mjs";
import { DIST, NATIVE } from "./places.mjs";
import { serve } from "./server.mjs";
import { ShowoPage } from "./showo_page.mjs";
import { ofType } from "./trace_checks.mjs";

/** The reference's small CLIP, in the layout of openai/clip-vit-base-patch32. */
const FIXTURES = new URL("../fixtures/understanding/", import.meta.url).pathname;
const PROMPT = "a fox";
const DECODING = "steps=2,guidance_scale=1,temperature=1,candidates=3,verifier=best-of-k";
/** Every patch is weak; one round. */
const REFLECTION = { tau: 2.5, epsilon: 0, rounds: 1, "patch-grid": 2, accept: "every" };

describe("a bundle with a public CLIP", { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "showo-clip-"));
  const bundle = join(folder, "site/models/public");
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let site;
  /** @type {import("../../www/app/contract.js").Event[]} what the native command draws */
  let native;

  before(async () => {
    const run = (/** @type {string} */ program, /** @type {string[]} */ ...words) =>
      execFileSync(join(dirname(NATIVE), program), words, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    run("quantize", "synth", "--config", "tiny", "--seed", "5", "--with", "parm", "--out", "checkpoint");
    mkdirSync(join(folder, "clip"));
    for (const file of ["config.json", "preprocessor_config.json", "vocab.json", "merges.txt"]) {
      cpSync(join(FIXTURES, "clipscore_tiny.hub", file), join(folder, "clip", file));
    }
    cpSync(join(FIXTURES, "clipscore_tiny.weights.safetensors"), join(folder, "clip/model.safetensors"));
    cpSync(DIST, join(folder, "site"), { recursive: true });
    const inputs = ["showo=checkpoint/showo", "magvit=checkpoint/magvit", "clip=clip", "reward:parm=checkpoint/parm"];
    run("quantize", "convert", ...inputs.flatMap((input) => ["--input", input]), "--tokenizer", "checkpoint", "--name", "public",
      "--licence", "MIT", "--decoding", DECODING, "--judge", "clip", "--out", bundle);
    const reflecting = Object.entries(REFLECTION).flatMap(([name, value]) => [`--${name}`, String(value)]);
    run("showo", "generate", "--bundle", bundle, "--prompt", PROMPT, "--seed", "3", "--reflect", ...reflecting,
      "--out", "native.png", "--trace", "native.json");
    native = JSON.parse(readFileSync(join(folder, "native.json"), "utf8"));
    site = await serve(join(folder, "site"));
  });
  after(() => {
    site?.close();
    rmSync(folder, { recursive: true });
  });

  test("its manifest is of format 2", () => {
    const manifest = JSON.parse(readFileSync(join(bundle, "manifest.json"), "utf8"));
    assert.deepEqual([manifest.format, manifest.judges, manifest.models.clip.tokenizer.file], [2, ["clip"], "clip-tokenizer.json"]);
  });

  for (const device of /** @type {const} */ (["cpu", "webgpu"])) {
    test(`what it draws is scored as natively, on ${device}`, async (t) => {
      const browser = await launch(device);
      t.after(() => browser.close());
      const page = await ShowoPage.open(browser, `${site.address}?model=public&device=${device}`);
      await page.loaded();
      // There is a PARM in it, with which it does not judge.
      assert.deepEqual((await page.state("model")).offered, ["none", "best-of-k"]);
      const modes = await page.page.locator("#verifier option:enabled").evaluateAll((options) => options.map((option) => /** @type {HTMLOptionElement} */ (option).value));
      assert.deepEqual(modes, ["none", "best-of-k"]);

      await page.set({ prompt: PROMPT, seed: 3, previews: false, reflection: true });
      await page.set(REFLECTION);
      const events = await page.draw();
      const pictures = ofType(events, "image"), expected = ofType(native, "image");
      assert.equal(pictures.length, 3);
      const near = (/** @type {number | null | undefined} */ found, /** @type {number | null | undefined} */ wanted, /** @type {string} */ what) => {
        assert.ok(typeof found === "number" && typeof wanted === "number", `${what} has no score`);
        assert.ok(Math.abs(found - wanted) < 1e-3, `${what}: ${found}, natively ${wanted}`);
        t.diagnostic(`${what}: ${found.toFixed(5)}, natively ${wanted.toFixed(5)}`);
      };
      pictures.forEach(({ tokens, score }, path) => {
        assert.deepEqual(tokens, expected[path].tokens, `path ${path}`);
        near(score, expected[path].score, `path ${path}`);
      });
      const [round] = ofType(events, "reflection"), [wanted] = ofType(native, "reflection");
      assert.equal(round.patch_scores.length, 4);
      round.patch_scores.forEach((score, patch) => near(score, wanted.patch_scores[patch], `patch ${patch}`));
      assert.deepEqual(page.faults, []);
      await page.close();
    });
  }
});
