// A finished picture is painted on and drawn again there: by mouse, finger and keys; back again, kept in a file, and the same natively.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { assertAlike, assertNotBlank, decodeNatively } from "./pictures.mjs";
import { BUNDLE, DIST, NATIVE } from "./places.mjs";
import { ofType, timeless } from "./trace_checks.mjs";
import { visiting } from "./visit.mjs";

/** @typedef {import("./showo_page.mjs").ShowoPage} ShowoPage */

const native = (/** @type {string[]} */ ...args) => promisify(execFile)(NATIVE, args);
const QUICK = { prompt: "a red circle and a blue square", seed: 3, steps: 6, candidates: 2, verifier: "parm", reflection: false };

/** Unfolds the brush and waits for its grid. @param {ShowoPage} page */
async function unfold(page) {
  await page.page.locator("#paint summary").click();
  await page.page.locator("#paint-grid").waitFor();
}

/** The middle of a token on the screen. @param {ShowoPage} page @param {number} row @param {number} column */
async function place(page, row, column) {
  const box = await page.page.locator("#paint-grid").boundingBox();
  assert.ok(box, "there is nothing to paint on");
  const side = Math.sqrt((await painted(page)).length);
  return { x: box.x + ((column + 0.5) * box.width) / side, y: box.y + ((row + 0.5) * box.height) / side };
}

/** A stroke of the mouse between two tokens, [row, column]. @param {ShowoPage} page @param {[number, number]} from @param {[number, number]} to */
async function stroke(page, from, to) {
  await page.page.locator("#paint-grid").scrollIntoViewIfNeeded();
  const [first, last] = [await place(page, ...from), await place(page, ...to)];
  await page.page.mouse.move(first.x, first.y);
  await page.page.mouse.down();
  // Two leaps, as of a quick hand.
  await page.page.mouse.move(last.x, last.y, { steps: 2 });
  await page.page.mouse.up();
}

/** The views follow the state by a frame. @param {ShowoPage} page */
function shown(page) {
  return page.page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
}

/** From here on the canvas shows what is painted on it next. @param {ShowoPage} page */
function forgetCanvas(page) {
  return page.page.locator("#picture").evaluate((canvas) => delete canvas.dataset.shows);
}

/** The words of a part of the page, by its id. @param {ShowoPage} page @param {string} id */
async function wordsOf(page, id) {
  await shown(page);
  return page.page.locator(`#${id}`).innerText();
}

/** What is painted, as assistive technology reads it. @param {ShowoPage} page @returns {Promise<boolean[]>} */
async function painted(page) {
  await shown(page);
  return page.page.locator("#paint-grid [role=gridcell]").evaluateAll((cells) => cells.map((cell) => cell.getAttribute("aria-selected") === "true"));
}

/** Draws what is painted, to the end. @param {ShowoPage} page */
async function redraw(page) {
  await forgetCanvas(page);
  await page.page.locator("#paint-redraw").click();
  await page.idle();
  assert.equal(await wordsOf(page, "paint-error"), "", "redrawing fails");
  const events = await page.events();
  assert.equal(events.at(-1)?.type, "finished");
  return events;
}

/**
 * What must hold of a picture that was painted on: what was not painted stays, and it began with that.
 *
 * @param {import("./trace_checks.mjs").Event[]} events
 * @param {number[]} tokens before
 * @param {boolean[]} hole
 */
function assertRedrawn(events, tokens, hole) {
  const [{ begin }] = ofType(events, "started");
  assert.deepEqual(begin, tokens.map((token, position) => (hole[position] ? -1 : token)));
  assert.deepEqual(ofType(events, "step")[0].known_before, hole.map((masked) => !masked));
  const [{ tokens: drawn }] = ofType(events, "finished");
  tokens.forEach((token, position) => assert.ok(hole[position] ? drawn[position] >= 0 : drawn[position] === token, `position ${position}`));
}

describe("painting on a picture", { timeout: 600_000 }, () => {
  const visit = visiting("cpu");
  /** @type {string} */
  let folder;
  before(async () => (folder = await mkdtemp(join(tmpdir(), "showo-paint-"))));
  after(() => rm(folder, { recursive: true, force: true }));

  /** Saves the trace on the page. @param {ShowoPage} page @param {string} name */
  async function saved(page, name) {
    const arrives = page.page.waitForEvent("download");
    await page.page.locator("#save-trace").click();
    const file = join(folder, name);
    await (await arrives).saveAs(file);
    return file;
  }

  test("by mouse, twice, and back; the trace holds it and gives the same picture on the page and natively", async (t) => {
    const page = await visit.open();
    await page.loaded();
    await page.set(QUICK);
    const first = await page.draw();
    const [{ tokens }] = ofType(first, "finished");
    const firstFile = await saved(page, "first.json");

    await unfold(page);
    await stroke(page, [2, 1], [5, 4]);
    assert.equal((await painted(page)).filter(Boolean).length, 4, "a stroke without gaps");
    await stroke(page, [5, 4], [5, 4]);
    assert.equal(await wordsOf(page, "paint-count"), "3 of 64 tokens are painted.");
    await page.page.locator("#paint-clear").click();
    await page.page.locator("[data-brush='3']").click();
    await stroke(page, [5, 1], [6, 5]);
    const hole = await painted(page);
    assert.ok(hole.filter(Boolean).length >= 15, `${hole.filter(Boolean).length} painted`);
    await page.page.locator("#paint-words").fill("a red circle and a green star");
    const second = await redraw(page);
    assertRedrawn(second, tokens, hole);
    const [{ settings }] = ofType(second, "started");
    assert.deepEqual([settings.prompt, settings.seed, settings.candidates, settings.verifier], ["a red circle and a green star", 4, 2, "parm"]);
    assert.ok(ofType(second, "step").every((step) => step.candidates.every((candidate) => typeof candidate.score === "number")));
    const [{ tokens: redrawn, verdict, picture }] = ofType(second, "finished");
    assert.notDeepEqual(redrawn, tokens, "other words draw the same");
    t.diagnostic(`${hole.filter(Boolean).length} tokens; ${verdict?.sentence}`);
    const canvas = await page.canvas();
    assertNotBlank(canvas);
    assertAlike(canvas, await page.pixels(await decodeNatively(redrawn)), "the canvas and the native decoder");
    assert.match(await wordsOf(page, "picture-caption"), /, seed 4, \d+ tokens drawn again$/);
    assert.deepEqual(await painted(page), hole.map(() => false), "what was painted is gone with its picture");

    // Natively: from the trace itself, and by `inpaint` from the picture before and a mask.
    const file = await saved(page, "second.json");
    const { stdout } = await native("replay", file, "--out", join(folder, "replayed"), "--bundle", BUNDLE);
    assert.match(stdout, /drawn again: the same 64 tokens/);
    const [there, again] = await Promise.all(["the-picture.png", "the-picture-again.png"].map(async (name) =>
      page.pixels((await readFile(join(folder, "replayed", name))).toString("base64"))));
    assertAlike(there, canvas, "the replayed picture and the canvas");
    assertAlike(again, canvas, "the picture that was drawn again natively and the canvas");
    await writeFile(join(folder, "mask.png"), Buffer.from(await mask(page, hole, picture.width_px), "base64"));
    await native("inpaint", "--bundle", BUNDLE, "--recording", firstFile, "--mask", join(folder, "mask.png"), "--prompt", settings.prompt,
      "--seed", "4", "--steps", "6", "--candidates", "2", "--out", join(folder, "inpainted.png"), "--trace", join(folder, "inpainted.json"));
    const inpainted = JSON.parse(await readFile(join(folder, "inpainted.json"), "utf8"));
    assert.deepEqual(inpainted.at(-1).tokens, redrawn, "`showo inpaint` draws the same");

    // A second time, then back twice.
    await stroke(page, [1, 1], [1, 6]);
    const third = await redraw(page);
    assert.equal(ofType(third, "started")[0].settings.seed, 5);
    for (const before of [second, first]) {
      await forgetCanvas(page);
      await page.page.locator("#paint-undo").click();
      assert.deepEqual(await page.events(), before);
      await page.canvas();
    }
    assert.deepEqual(await painted(page), hole, "it is painted as it was");
    assert.ok(await page.page.locator("#paint-undo").isDisabled(), "nothing is before it");
    assertAlike(await page.canvas(), await page.pixels(await decodeNatively(tokens)), "the canvas and the first picture");

    // The file, opened again, shows it, and can be painted on in its turn.
    await forgetCanvas(page);
    await page.page.locator("#trace-file").setInputFiles(file);
    await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.opened);
    assert.deepEqual(timeless(await page.events()), timeless(second));
    assertAlike(await page.canvas(), canvas, "the opened trace and what was drawn");
    assert.match(await wordsOf(page, "picture-caption"), /tokens drawn again$/);
    await page.page.locator("#paint-words").fill("");
    await stroke(page, [1, 1], [1, 1]);
    const hole3 = await painted(page);
    const fourth = await redraw(page);
    assertRedrawn(fourth, redrawn, hole3);
    assert.equal(ofType(fourth, "started")[0].settings.prompt, "a red circle and a green star", "its own words");
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("with a keyboard alone, and nothing that axe finds", async () => {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      const page = await visit.open(visit.address, { colorScheme, viewport: { width: 360, height: 740 } });
      await page.loaded();
      await page.page.locator("#settings summary").click();
      await page.set({ ...QUICK, steps: 2 });
      const [{ tokens }] = ofType(await page.draw(), "finished");
      await page.page.locator("#paint summary").focus();
      await page.page.keyboard.press("Enter");
      await page.page.locator("#paint-grid").waitFor();
      await page.page.keyboard.press("Shift+Tab");
      assert.equal(await page.page.evaluate(() => document.activeElement?.id), "paint-grid");
      for (const key of ["ArrowUp", "ArrowLeft", "Home", "ArrowRight", " ", "ArrowDown", " ", "End", " ", " "]) await page.page.keyboard.press(key);
      const hole = await painted(page);
      assert.deepEqual(hole.flatMap((is, position) => (is ? [position] : [])), [25, 33], "Space paints and takes back");
      const active = page.page.locator(`#${await page.page.locator("#paint-grid").getAttribute("aria-activedescendant")}`);
      assert.equal(await active.getAttribute("aria-label"), "row 5, column 8");
      assert.equal(await wordsOf(page, "paint-count"), "2 of 64 tokens are painted.");
      assert.deepEqual(await page.inaccessible(), []);
      assert.ok((await page.page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
      await page.page.locator("#paint-words").focus();
      await page.page.keyboard.press("Enter");
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.redraws === 1);
      await page.idle();
      assertRedrawn(await page.events(), tokens, hole);
      assert.deepEqual(await page.inaccessible(), []);
      assert.deepEqual(page.faults, []);
      await page.close();
    }
  });

  test("with a finger, which paints and does not scroll", async () => {
    const page = await visit.open(visit.address, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    await page.loaded();
    await page.page.locator("#settings summary").click();
    await page.set({ ...QUICK, steps: 2 });
    await page.draw();
    await unfold(page);
    await page.page.locator("#paint-grid").scrollIntoViewIfNeeded();
    const debug = await page.page.context().newCDPSession(page.page);
    const touch = (/** @type {string} */ type, /** @type {object[]} */ touchPoints) => debug.send("Input.dispatchTouchEvent", /** @type {any} */ ({ type, touchPoints }));
    const [from, to] = [await place(page, 6, 2), await place(page, 1, 2)];
    const scrolled = await page.page.evaluate(() => window.scrollY);
    await touch("touchStart", [from]);
    for (let step = 1; step <= 4; step += 1) await touch("touchMove", [{ x: from.x, y: from.y + ((to.y - from.y) * step) / 4 }]);
    await touch("touchEnd", []);
    const hole = await painted(page);
    assert.deepEqual(hole.flatMap((is, position) => (is ? [position] : [])), [10, 18, 26, 34, 42, 50]);
    assert.equal(await page.page.evaluate(() => window.scrollY), scrolled);
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("what cannot be drawn is refused with a sentence, and the picture stays", async () => {
    const page = await visit.open();
    await page.loaded();
    await page.page.locator("#paint summary").click();
    assert.match(await wordsOf(page, "paint-hint"), /First draw a picture/);
    assert.ok(await page.page.locator("#paint-redraw").isDisabled());
    await page.set({ ...QUICK, steps: 2 });
    const drawn = await page.draw();
    const error = page.page.locator("#paint-error");
    await page.page.locator("#paint-redraw").click();
    await error.getByText("Nothing is painted").waitFor();

    await page.page.locator("#paint-grid").focus();
    await page.page.keyboard.press(" ");
    assert.equal(await wordsOf(page, "paint-error"), "", "painting takes it back");
    await page.page.locator("#paint-words").fill("a sta");
    await page.page.locator("#paint-redraw").click();
    await error.getByText("sta").first().waitFor();
    await page.idle();
    assert.deepEqual(await page.events(), drawn, "the picture is gone");
    assert.equal((await painted(page)).filter(Boolean).length, 1, "what was painted is gone");
    assert.equal(await page.errorWords(), "", "it is said twice");
    await error.getByRole("button", { name: "star", exact: true }).click();
    assert.equal(await page.page.locator("#paint-words").inputValue(), "a star");
    assertRedrawn(await redraw(page), ofType(drawn, "finished")[0].tokens, (await holeBefore(page)));

    // A picture of another model's.
    const foreign = structuredClone(drawn);
    ofType(foreign, "started")[0].bundle = "another one";
    await page.page.locator("#trace-file").setInputFiles({ name: "trace.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(foreign)) });
    await page.page.locator("#paint-hint").getByText("“another one”").waitFor();
    assert.ok(await page.page.locator("#paint-redraw").isDisabled());
    assert.ok(await page.page.locator("#paint-grid").isHidden());
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("Stop ends a redraw within a step; it goes on, or is undone", async () => {
    const page = await visit.open();
    await page.loaded();
    await page.set({ ...QUICK, steps: 2 });
    const drawn = await page.draw();
    await unfold(page);
    await stroke(page, [0, 0], [7, 7]);
    const hole = await painted(page);
    await page.set({ steps: 40 });
    for (const end of ["undo", "go on"]) {
      await page.page.locator("#paint-redraw").click();
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.events.filter((/** @type {any} */ event) => event.type === "step").length >= 2);
      await page.page.locator("#stop").click();
      await page.idle();
      assert.equal((await page.events()).at(-1)?.type, "cancelled");
      if (end === "undo") {
        await page.page.locator("#paint-undo").click();
        assert.deepEqual(await page.events(), drawn);
        assert.deepEqual(await painted(page), hole);
        assert.ok(await page.page.locator("#go-on").isHidden(), "there is nothing to go on with");
        continue;
      }
      await page.page.locator("#go-on").click();
      await page.idle();
      assertRedrawn(await page.events(), ofType(drawn, "finished")[0].tokens, hole);
      assert.equal(ofType(await page.events(), "step").length, 40);
    }
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("the engine itself refuses a mask that is empty or of another size, and codes that it has none of", async () => {
    const page = await visit.open();
    await page.loaded();
    const settings = ofType(await page.draw(), "started")[0].settings;
    const said = await page.page.evaluate(async (settings) => {
      const worker = new Worker("worker.js", { type: "module" });
      /** @type {string[]} */
      const said = [];
      let told = () => {};
      worker.addEventListener("message", ({ data }) => {
        if (data.type === "error") said.push(`${data.error.code}: ${data.error.message}`);
        if (data.type === "done" || data.type === "verifier_ready") told();
      });
      const after = (/** @type {object} */ request) => new Promise((resolve) => {
        told = () => resolve(null);
        worker.postMessage(request);
      });
      await after({ type: "load", bundle: "models/scenes/", wish: { device: "cpu" } });
      const codes = Array.from({ length: 64 }, () => 1);
      const hole = codes.map((_, position) => position === 9);
      await after({ type: "paint", settings, codes, hole: codes.map(() => false) });
      await after({ type: "paint", settings, codes, hole: [true, false] });
      await after({ type: "paint", settings, codes: codes.slice(1), hole: hole.slice(1) });
      await after({ type: "paint", settings, codes: codes.map(() => 1e6), hole });
      worker.terminate();
      return said;
    }, settings);
    assert.equal(said.length, 4, said.join("\n"));
    const patterns = [/covers no token/, /for 2 tokens, but the picture has 64/, /has 63 tokens, this model draws 64/, /the token 1000000/];
    patterns.forEach((pattern, index) => {
      assert.match(said[index], pattern);
      assert.match(said[index], /^canvas: /);
    });
    await page.close();
  });

  const icons = join(DIST, "models/icons");
  test("in the world of things", { skip: existsSync(join(icons, "manifest.json")) ? false : "the build holds no models/icons" }, async () => {
    const page = await visit.open(`${visit.address}?model=icons`);
    await page.loaded();
    await page.set({ prompt: "a giraffe", seed: 3, steps: 3, candidates: 2, verifier: "none", reflection: false });
    const [{ tokens }] = ofType(await page.draw(), "finished");
    await unfold(page);
    await page.page.locator("[data-brush='3']").click();
    await stroke(page, [3, 3], [9, 9]);
    const hole = await painted(page);
    assert.equal(hole.length, 256);
    const events = await redraw(page);
    assertRedrawn(events, tokens, hole);
    const file = await saved(page, "icons.json");
    const { stdout } = await native("replay", file, "--out", join(folder, "icons"), "--bundle", icons);
    assert.match(stdout, /drawn again: the same 256 tokens/);
    assert.deepEqual(page.faults, []);
    await page.close();
  });
});

describe("painting on a picture, on WebGPU", { timeout: 600_000 }, () => {
  const visit = visiting("webgpu");

  test("what is painted is drawn again, as the native command draws it from the trace", async () => {
    const page = await visit.open();
    await page.loaded();
    assert.equal((await page.state("device")).kind, "webgpu");
    await page.set({ ...QUICK, steps: 4 });
    const [{ tokens }] = ofType(await page.draw(), "finished");
    await unfold(page);
    await page.page.locator("[data-brush='3']").click();
    await stroke(page, [6, 1], [6, 5]);
    const hole = await painted(page);
    const events = await redraw(page);
    assertRedrawn(events, tokens, hole);
    const folder = await mkdtemp(join(tmpdir(), "showo-paint-"));
    try {
      await writeFile(join(folder, "trace.json"), JSON.stringify(events));
      const { stdout } = await native("replay", join(folder, "trace.json"), "--out", folder, "--bundle", BUNDLE);
      assert.match(stdout, /drawn again: the same 64 tokens/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    await page.page.locator("#paint-undo").click();
    assert.deepEqual(ofType(await page.events(), "finished")[0].tokens, tokens);
    assert.deepEqual(page.faults, []);
    await page.close();
  });
});

/** What the picture on the page was drawn again from, as a mask. @param {ShowoPage} page */
async function holeBefore(page) {
  return /** @type {boolean[]} */ (await page.page.evaluate(() => /** @type {any} */ (window).showo.state.before.at(-1).hole));
}

/** A mask as `showo inpaint` reads it: a PNG of the picture's size, white where it is painted, base64. @param {ShowoPage} page @param {boolean[]} hole @param {number} width */
function mask(page, hole, width) {
  return page.page.evaluate(async ([hole, width]) => {
    const canvas = new OffscreenCanvas(width, width);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const side = Math.sqrt(hole.length);
    hole.forEach((white, position) => {
      context.fillStyle = white ? "white" : "black";
      context.fillRect(((position % side) * width) / side, (Math.floor(position / side) * width) / side, width / side, width / side);
    });
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  }, /** @type {const} */ ([hole, width]));
}
