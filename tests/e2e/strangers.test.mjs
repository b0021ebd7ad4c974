// What comes from strangers: addresses, long words, damaged traces. Each is refused by name or shown, and breaks nothing.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { visiting } from "./visit.mjs";

/** A PNG of 1 × 1 pixel. */
const DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
const LONG = "pneumono".repeat(375);

describe("what comes from strangers", { timeout: 300_000 }, () => {
  const visit = visiting("cpu");

  for (const hash of ["toString=1", "constructor=1&__proto__=2&hasOwnProperty=3", "%E0%A4%A=%", `${LONG}=${LONG}`, "steps=3&steps=5", "how-title", "&&==&"]) {
    test(`an address with #${hash.slice(0, 40)} opens the page`, async () => {
      const page = await visit.open(`${visit.address}?${hash}#${hash}`);
      await page.loaded();
      assert.deepEqual(page.faults, []);
      await page.close();
    });
  }

  for (const [id, value] of [["verifier", "nonsense"], ["verifier", "toString"], ["verifier", ""], ["generator", "nonsense"], ["generator", "__proto__"], ["generator", LONG]]) {
    test(`an address with ${id}=${value.slice(0, 20)} is refused by that name when Draw is pressed at once`, async () => {
      const page = await visit.open(`${visit.address}?embed#${id}=${value}&prompt=a+star`);
      await page.press();
      const words = await page.refusal();
      assert.ok(words.includes(`${id} “${value.slice(0, 80)}`), words);
      assert.equal(await page.page.locator(`#${id}`).inputValue(), value, "what was asked for stands there");
      await page.idle();
      await page.set({ verifier: "none", generator: "base", steps: 1, candidates: 1 });
      await page.draw();
      assert.deepEqual(page.faults, []);
      await page.close();
    });
  }

  for (const [query, name] of [["model=../secret", "../secret"], ["model=__proto__", "__proto__"], ["device=gpu", "gpu"]]) {
    test(`an address with ?${query} is told by name what it does not get`, async () => {
      const page = await visit.open(`${visit.address}?embed&${query}`);
      assert.ok((await page.refusal()).includes(`“${name}”`));
      assert.deepEqual(page.faults, []);
      await page.close();
    });
  }

  test("a model that is not there is named", async () => {
    const page = await visit.open(`${visit.address}?model=constructor`);
    assert.match(await page.refusal(), /manifest/);
    assert.deepEqual(page.faults.filter((fault) => fault.startsWith("uncaught")), []);
    await page.close();
  });

  describe("on a phone", () => {
    /** @type {Awaited<ReturnType<typeof visit.open>>} */
    let page;
    before(async () => {
      page = await visit.open(visit.address, { viewport: { width: 360, height: 740 } });
      await page.loaded();
    });

    const width = () => page.page.evaluate(() => document.documentElement.scrollWidth);

    /** @param {unknown} events @param {string} [name] */
    async function openTrace(events, name = "trace.json") {
      await page.page.evaluate(() => (/** @type {any} */ (window).before = /** @type {any} */ (window).showo.state));
      const text = typeof events === "string" ? events : JSON.stringify(events);
      await page.page.locator("#trace-file").setInputFiles({ name, mimeType: "application/json", buffer: Buffer.from(text) });
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state !== /** @type {any} */ (window).before);
      // The views follow the state by a frame.
      await page.page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
      return page.errorWords();
    }

    const trace = (/** @type {object} */ picture = {}) => [
      { type: "started", version: 1, grid: 2, image_side_px: 1, device: "a device", bundle: "a bundle", prompt_ids: [1], notes: [],
        settings: { prompt: "a star", seed: 1, steps: 1, guidance_scale: 1, temperature: 1, candidates: 1, verifier: "none", reflection: null, previews: true } },
      { type: "image", path: 0, tokens: [1, 2, 3, 4], score: null, picture: { width_px: 1, height_px: 1, png_base64: DOT } },
      { type: "finished", tokens: [1, 2, 3, 4], verdict: null, unchecked: null, picture: { width_px: 1, height_px: 1, png_base64: DOT, ...picture },
        totals: { generator_forwards: 1, reward_forwards: 0, decoded_pictures: 1, seconds: 1 } },
    ];

    test("a word of 3,000 letters makes it no wider", async () => {
      await page.set({ prompt: `a ${LONG}` });
      await page.press();
      await page.refusal();
      await page.idle();
      assert.ok((await width()) <= 360, `${await width()} pixels`);
    });

    test("nor do the words of a trace", async () => {
      const long = trace();
      Object.assign(long[0], { device: LONG, bundle: LONG, notes: [LONG, LONG] });
      /** @type {any} */ (long[0]).settings.prompt = LONG;
      Object.assign(long[2], { verdict: { accepted: true, exact: true, sentence: LONG } });
      assert.equal(await openTrace(long), "");
      await page.canvas();
      assert.ok((await page.page.locator("body").innerText()).includes(LONG));
      assert.ok((await width()) <= 360, `${await width()} pixels`);
      Object.assign(long[2], { verdict: null, unchecked: LONG, type: LONG });
      assert.match(await openTrace(long, `${LONG.slice(0, 200)}.json`), /Event 3/);
      assert.ok((await width()) <= 360, `${await width()} pixels`);
    });

    test("nor do the words of a bundle and of the engine", async () => {
      const shown = await page.page.evaluate((long) => {
        // As a stranger's model, and an error with near words, would have them.
        const places = ["#foot", "#device", "#status", "#error", "#examples", "#word-list", "#results-command", "#trained-on", "#picture-notes", "#choice-words", "#handed-on"];
        return places.map((place) => {
          const element = /** @type {HTMLElement} */ (document.querySelector(place));
          const before = [...element.childNodes];
          const button = document.createElement("button");
          button.className = "word";
          button.textContent = long;
          const paragraph = document.createElement("p");
          paragraph.className = "near";
          paragraph.append("Near it: ", button);
          element.closest("[hidden]")?.removeAttribute("hidden");
          element.replaceChildren(long, paragraph);
          const wide = document.documentElement.scrollWidth;
          element.replaceChildren(...before);
          return `${place} ${wide}`;
        }).filter((line) => Number(line.split(" ")[1]) > 360);
      }, LONG);
      assert.deepEqual(shown, []);
    });

    const cut = Buffer.from(DOT, "base64");
    const flipped = Buffer.from(cut);
    flipped[45] ^= 1;
    /** @type {[string, object, RegExp][]} */
    const damages = [
      ["is no base64", { png_base64: "A" }, /base64/],
      ["is no PNG", { png_base64: btoa("<html>") }, /no PNG/],
      ["is only a signature", { png_base64: cut.subarray(0, 8).toString("base64") }, /too early/],
      ["is cut off", { png_base64: cut.subarray(0, 50).toString("base64") }, /too early/],
      ["has a flipped bit", { png_base64: flipped.toString("base64") }, /damaged/],
      ["is of another size", { width_px: 64, height_px: 64 }, /1×1 pixels, not 64×64/],
      ["is huge", { width_px: 100_000, height_px: 100_000 }, /picture/],
      ["is empty", { png_base64: "" }, /picture/],
      ["is none", { png_base64: null }, /picture/],
    ];
    for (const [what, picture, pattern] of damages) {
      test(`a trace whose picture ${what} is refused by its event, and what is on the page stays`, async () => {
        await openTrace(trace());
        await page.canvas();
        const words = await openTrace(trace(picture));
        assert.match(words, /Event 3 of this trace is damaged/);
        assert.match(words, pattern);
        assert.equal((await page.events()).length, 3);
        await page.canvas();
        assert.ok((await width()) <= 360);
      });
    }

    test("after all that it draws, and nothing was thrown", async () => {
      await page.set({ prompt: "a star, and a sta?" });
      await page.press();
      assert.match(await page.refusal(), /sta/);
      await page.page.locator("#error").getByRole("button", { name: "star", exact: true }).click();
      assert.equal(await page.page.locator("#prompt").inputValue(), "a star, and a star?");
      await page.page.locator("#settings summary").click();
      await page.set({ prompt: "a star", steps: 1, candidates: 1, verifier: "none" });
      await page.draw();
      assert.deepEqual(page.faults, []);
    });
  });
});
