// What a visitor may type wrongly: each is a sentence that names it, at the field, and nothing is drawn.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { visiting } from "./visit.mjs";

/** Reflection is on, because its fields are shown only then. */
const GOOD = { reflection: true, prompt: "a red circle", seed: 1, steps: 2, candidates: 1, verifier: "none", guidance: 2,
  tau: 0.2, epsilon: 0.01, rounds: 1, "patch-grid": 4 };

/** One wrong field, and words that the sentence must hold. @type {[Record<string, string | number>, RegExp[]][]} */
const WRONG = [
  [{ prompt: "" }, [/prompt/i, /empty/]],
  [{ prompt: "   " }, [/prompt/i, /empty/]],
  [{ candidates: 0 }, [/candidates/i, /0/, /1 to 16/]],
  [{ candidates: 17 }, [/candidates/i, /17/, /1 to 16/]],
  [{ candidates: 1.5 }, [/candidates/i, /1\.5/, /whole/]],
  [{ steps: 0 }, [/steps/i, /1 to 64/]],
  [{ steps: 65 }, [/steps/i, /65/, /1 to 64/]],
  [{ steps: "" }, [/steps/i, /empty/]],
  [{ guidance: 20.5 }, [/guidance/i, /20\.5/, /0 to 20/]],
  [{ seed: -1 }, [/seed/i, /-1/]],
  [{ seed: "9007199254740993" }, [/seed/i]],
  [{ tau: 2.6 }, [/τ/, /2\.6/, /-1 to 2\.5/]],
  [{ epsilon: -0.1 }, [/ε/, /0 to 2/]],
  [{ rounds: 11 }, [/rounds/i, /11/, /1 to 10/]],
  [{ "patch-grid": 1 }, [/patch grid/i, /2 to/]],
  [{ "patch-grid": 99 }, [/patch grid/i, /99/]],
];

describe("bad input", { timeout: 300_000 }, () => {
  const visit = visiting("cpu");
  /** @type {Awaited<ReturnType<typeof visit.open>>} */
  let page;

  before(async () => {
    page = await visit.open();
    await page.loaded();
  });

  /** @param {Record<string, string | number | boolean>} values */
  async function refused(values) {
    await page.set(GOOD);
    await page.set(values);
    await page.press();
    const words = await page.refusal();
    await page.idle();
    assert.deepEqual(await page.events(), [], "something was drawn");
    return words;
  }

  for (const [values, patterns] of WRONG) {
    const [[field, value]] = Object.entries(values);
    test(`${field} = "${value}" is refused by name`, async () => {
      const words = await refused(values);
      for (const pattern of patterns) assert.match(words, pattern);
      const control = page.page.locator(`#${field}`);
      assert.equal(await control.getAttribute("aria-invalid"), "true");
      assert.equal(await control.inputValue(), String(value), "what was typed was changed");
    });
  }

  test("an unknown word is named, and a near one is a click away", async () => {
    const words = await refused({ prompt: "a red sircle" });
    assert.match(words, /sircle/);
    const near = page.page.locator("#error").getByRole("button", { name: "circle", exact: true });
    await near.click();
    assert.equal(await page.page.locator("#prompt").inputValue(), "a red circle");
    assert.equal(await page.errorWords(), "");
  });

  test("a word far from all others is named", async () => {
    assert.match(await refused({ prompt: "a xylophone" }), /xylophone/);
  });

  test("a prompt that is too long says how long it may be", async () => {
    assert.match(await refused({ prompt: "a red circle and ".repeat(60) + "a star" }), /\d+/);
  });

  test("markup in a prompt stays text", async () => {
    await refused({ prompt: "<img src=x onerror=document.title='hurt'>" });
    assert.notEqual(await page.page.title(), "hurt");
    assert.equal(await page.page.locator("#error img").count(), 0);
  });

  test("the alert and its field are accessible", async () => {
    await refused({ prompt: "a red sircle" });
    assert.deepEqual(await page.inaccessible(), []);
  });

  test("after all that a drawing goes well", async () => {
    await page.set(GOOD);
    await page.set({ reflection: false });
    await page.draw();
    assert.deepEqual(page.faults, []);
  });
});
