// Other people's models: from a folder, by drop, as files, from an address of this site and of another; interrupted, forgotten, refused.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { DECODING, serveFolder, twoLayers } from "./bundles.mjs";
import { DIST } from "./places.mjs";
import { serve, serveMoodily } from "./server.mjs";
import { ShowoPage } from "./showo_page.mjs";
import { assertSteps, ofType } from "./trace_checks.mjs";
import { visiting } from "./visit.mjs";

describe("other people's models", { timeout: 900_000 }, () => {
  const visit = visiting("cpu");
  /** @type {ReturnType<typeof twoLayers>} */
  let made;
  /** The built page with the bundle beside it, as /bundle/. @type {Awaited<ReturnType<typeof serve>>} */
  let beside;
  /** Another site with bundles. @type {Awaited<ReturnType<typeof serveFolder>>} */
  let elsewhere;
  /** The page, whose policy lets it read there. @type {Awaited<ReturnType<typeof serveMoodily>>} */
  let allowing;

  before(async () => {
    made = twoLayers();
    beside = await serve(DIST, made.bundle);
    elsewhere = await serveFolder(made.folder);
    allowing = await serveMoodily(visit.address);
    const origin = new URL(elsewhere.address).origin;
    allowing.edits.set("index.html", (text) => text.replace("connect-src 'self'", `connect-src 'self' ${origin}`));
  });
  after(() => {
    beside?.close();
    elsewhere?.close();
    allowing?.close();
    made?.remove();
  });

  /** A page that has loaded what it ships. @param {string} [address] */
  async function opened(address = visit.address) {
    const page = await visit.open(address);
    await page.loaded();
    return page;
  }

  /** Waits until the page draws with the bundle of two layers. @param {ShowoPage} page */
  async function drawsWithTwoLayers(page) {
    await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.model?.bundle.startsWith("two layers "), null, { timeout: 60_000 });
    await page.loaded();
  }

  /** Draws with what the bundle recommends, and looks whether the page follows the bundle. @param {ShowoPage} page */
  async function drawn(page) {
    await page.set({ prompt: "some words" });
    const events = await page.draw();
    const [{ settings, grid, image_side_px }] = ofType(events, "started");
    assert.deepEqual([grid, image_side_px], [4, 32]);
    for (const [name, value] of Object.entries(DECODING)) assert.equal(settings[/** @type {"steps"} */ (name)], value, name);
    assertSteps(ofType(events, "step"), { count: DECODING.steps, candidates: DECODING.candidates, scored: true });
    assert.equal(await page.page.locator("#token-grid .cell").count(), 16);
    assert.equal(await page.page.locator("#verdict").isVisible(), false, "nobody can check this world");
    assert.equal(await page.page.locator("#words").isVisible(), false, "any words will do");
    assert.match(await page.page.locator("#foot").innerText(), /licensed under MIT/);
    return events;
  }

  /** What is on the page in the menu. @param {ShowoPage} page */
  const menu = async (page) => {
    if (!(await page.page.locator("#model-menu").getAttribute("open") !== null)) await page.page.getByTestId("model-menu").click();
    return page.page.locator(".model-panel").innerText();
  };

  /** @param {ShowoPage} page @returns {Promise<number>} pieces of shards that the browser keeps of an address */
  const kept = (page, address = "") => page.page.evaluate(async (address) => {
    const keys = await (await caches.open("showo-shards-2")).keys();
    return keys.filter(({ url }) => url.startsWith(address)).length;
  }, address);

  const uncaught = (/** @type {ShowoPage} */ page) => page.faults.filter((fault) => fault.startsWith("uncaught"));

  test("a folder that is chosen draws, and what the page says follows it", async () => {
    const page = await opened();
    await page.page.getByTestId("folder-input").setInputFiles(made.bundle);
    await drawsWithTwoLayers(page);
    const events = await drawn(page);
    assert.equal(ofType(events, "step").length, DECODING.steps);
    const words = await menu(page);
    assert.match(words, /Licence\s+MIT/);
    assert.match(words, /nothing is downloaded or copied/);
    assert.equal(await kept(page, "folder:"), 0, "nothing of it is copied");
    // Back, by the menu.
    await page.page.locator('[data-testid="model"][data-id="icons"]').click();
    await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.model?.bundle.startsWith("icons "), null, { timeout: 60_000 });
    assert.equal(new URL(page.page.url()).searchParams.get("model"), "icons");
    assert.equal(await page.page.locator("#prompt").inputValue(), "a purple dog and a black dining table");
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("a bundle that recommends nothing is drawn with one draw that nobody judges; what was typed and what a link says stay", async () => {
    const page = await visit.open(`${visit.address}#guidance=3`);
    await page.loaded();
    await page.page.getByTestId("folder-input").setInputFiles(made.bare);
    await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.model?.bundle.startsWith("bare "), null, { timeout: 60_000 });
    const form = () => page.formValues(["steps", "guidance", "candidates", "verifier"]);
    assert.deepEqual(await form(), { steps: "18", guidance: "2", candidates: "1", verifier: "none" }, "the link was another model's");
    await page.set({ prompt: "any words", steps: 2 });
    await page.draw();
    await page.close();

    const linked = await visit.open(`${beside.address}?bundle=/bundle/#guidance=3&steps=5`);
    await drawsWithTwoLayers(linked);
    assert.deepEqual(await linked.formValues(["steps", "guidance", "temperature"]), { steps: "5", guidance: "3", temperature: String(DECODING.temperature) });
    await linked.close();
  });

  test("a folder that is dropped draws", async () => {
    const page = await opened();
    const debug = await page.page.context().newCDPSession(page.page);
    for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"])) {
      await debug.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data: { items: [], files: [made.bundle], dragOperationsMask: 1 } });
    }
    await drawsWithTwoLayers(page);
    await drawn(page);
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("files that are chosen draw, and one that is missing is named", async () => {
    const page = await opened();
    const files = readdirSync(made.bundle).map((file) => join(made.bundle, file));
    await page.page.getByTestId("files-input").setInputFiles(files.filter((file) => !file.includes("magvit")));
    assert.match(await page.refusal(), /magvit-000\.safetensors is not in the folder/);
    await page.page.getByTestId("files-input").setInputFiles(files);
    await drawsWithTwoLayers(page);
    await drawn(page);
    await page.close();
  });

  test("an address of this site draws, on a second visit from what is kept, and is forgotten", async () => {
    const page = await visit.open(`${beside.address}?bundle=/bundle/`);
    /** @type {string[]} */
    const asked = [];
    page.page.on("request", (request) => request.url().endsWith(".safetensors") && asked.push(request.url()));
    await drawsWithTwoLayers(page);
    await drawn(page);
    await page.page.reload();
    asked.length = 0;
    await drawsWithTwoLayers(page);
    assert.deepEqual(asked, [], "what is kept is fetched again");
    assert.equal(await page.page.locator("#prompt").inputValue(), "some words", "the settings outlive a reload");
    assert.ok((await kept(page, `${beside.address}bundle/`)) >= 5);
    assert.match(await menu(page), /none: all of it is kept/);
    await page.page.locator(`[data-testid="forget"][data-id="${beside.address}bundle/"]`).click();
    await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.model?.bundle.startsWith("scenes "), null, { timeout: 60_000 });
    assert.equal(await kept(page, `${beside.address}bundle/`), 0);
    assert.equal(new URL(page.page.url()).search, "");
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("an address of another site is forbidden by the page's policy, and the page says so and draws on", async () => {
    elsewhere.shards.length = 0;
    const page = await visit.open(`${visit.address}?bundle=${elsewhere.address}two-layers`);
    assert.match(await page.refusal(), /asks no other site for anything.*connect-src/s);
    await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.model?.bundle.startsWith("scenes "), null, { timeout: 60_000 });
    assert.match(await page.errorWords(), /connect-src/, "it stays said");
    assert.deepEqual(elsewhere.shards, []);
    assert.deepEqual(uncaught(page), []);
    await page.close();
  });

  test("one that sends no CORS headers is told apart from one that is not there", async () => {
    const page = await opened(allowing.address);
    const open = async (/** @type {string} */ address) => {
      await page.page.evaluate(() => document.querySelector("#error")?.replaceChildren());
      await menu(page);
      await page.page.getByTestId("bundle-address").fill(address);
      await page.page.getByTestId("open-address").click();
      return page.refusal();
    };
    elsewhere.cors = false;
    assert.match(await open(`${elsewhere.address}two-layers/`), /sends no CORS headers/);
    elsewhere.cors = true;
    assert.match(await open(`${elsewhere.address}checkpoint/showo`), /checkpoint as Hugging Face has it.*quantize -- convert/s);
    assert.match(await open(`${elsewhere.address}nothing`), /no manifest\.json at/);
    assert.match(await open("javascript:alert(1)"), /no address of a bundle/);
    assert.equal((await page.state("source")).id, "scenes", "the model before stays");
    assert.deepEqual(uncaught(page), []);
    await page.close();
  });

  test("one that may be read is asked about first; cut off in mid-download, only the missing bytes are fetched after a reload", async () => {
    elsewhere.shards.length = 0;
    elsewhere.stall = { file: "two-layers/magvit-000.safetensors", after: 100_000 };
    const page = await visit.open(`${allowing.address}?bundle=${elsewhere.address}two-layers/`);
    const ask = page.page.getByTestId("model-ask");
    await ask.waitFor();
    assert.match(await ask.innerText(), /two layers is not loaded yet.*Licence\s+MIT.*Download\s+1\.5 MB.*Storage.*Memory.*Time\s+.*3 steps, estimated/s);
    assert.deepEqual(elsewhere.shards, [], "something was fetched unasked");

    await page.page.getByTestId("model-load").click();
    const arriving = () => page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.progress?.file === "magvit-000.safetensors");
    await arriving();
    await page.page.reload();
    await ask.waitFor();
    assert.match(await ask.innerText(), /133 kB of it are here already|134 kB of it are here already/);
    assert.deepEqual(elsewhere.shards.map(({ file }) => file), ["two-layers/showo-000.safetensors", "two-layers/magvit-000.safetensors"]);

    elsewhere.shards.length = 0;
    elsewhere.stall = null;
    await page.page.getByRole("button", { name: "Go on loading" }).click();
    await drawsWithTwoLayers(page);
    await drawn(page);
    assert.ok(!elsewhere.shards.some(({ file }) => file.includes("showo-")), "the shard that was whole is fetched again");
    assert.equal(elsewhere.shards.filter(({ file }) => file.includes("magvit")).length, 1);
    await page.close();
  });

  test("of a shard that was cut off the part that is kept is not fetched again", async () => {
    const shard = "scenes/clip-000.safetensors";
    const scenes = await serveFolder(join(DIST, "models"));
    const origin = new URL(scenes.address).origin;
    const page_site = await serveMoodily(visit.address);
    page_site.edits.set("index.html", (text) => text.replace("connect-src 'self'", `connect-src 'self' ${origin}`));
    scenes.stall = { file: "scenes/showo-000.safetensors", after: 2.5 * 1024 * 1024 };
    const page = await visit.open(`${page_site.address}?bundle=${scenes.address}scenes/`);
    try {
      await page.page.getByTestId("model-load").click();
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.progress?.bytes_done > 2.2e6);
      await page.page.reload();
      await page.page.getByTestId("model-load").waitFor();
      assert.match(await page.page.getByTestId("model-ask").innerText(), /2\.1 MB of it are here already/);
      scenes.shards.length = 0;
      scenes.stall = null;
      await page.page.getByTestId("model-load").click();
      await page.loaded();
      const again = scenes.shards.filter(({ file }) => file === "scenes/showo-000.safetensors");
      assert.deepEqual(again.map(({ from }) => from), [2 * 1024 * 1024]);
      assert.ok(scenes.shards.some(({ file, from }) => file === shard && from === 0));
      await page.set({ prompt: "a star", seed: 1, steps: 2, candidates: 1, verifier: "none" });
      const events = await page.draw();
      assert.equal(typeof ofType(events, "finished")[0].verdict?.accepted, "boolean", "a world of ours is judged, wherever its bundle lies");
    } finally {
      await page.close();
      page_site.close();
      scenes.close();
    }
  });

  test("a download rests and goes on, and one that would not fit is not kept", async () => {
    const page = await visit.open(allowing.address);
    await page.page.addInitScript(() => {
      // A browser with little room; a test cannot fill the disk.
      navigator.storage.estimate = async () => ({ quota: 10_000_000, usage: 9_400_000 });
    });
    await page.page.reload();
    await page.loaded();
    elsewhere.shards.length = 0;
    elsewhere.slow = 700;
    try {
      await menu(page);
      await page.page.getByTestId("bundle-address").fill(`${elsewhere.address}two-layers`);
      await page.page.getByTestId("open-address").click();
      const ask = page.page.getByTestId("model-ask");
      await ask.waitFor();
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.room);
      await page.page.waitForFunction(() => document.querySelector("#model-ask")?.textContent?.includes("too little to keep it"));
      await page.page.getByTestId("model-load").click();
      const pause = page.page.getByTestId("model-pause");
      await pause.click();
      await pause.and(page.page.getByText("Go on")).waitFor();
      assert.match(await page.page.locator("#status").innerText(), /^Paused/);
      await page.page.waitForTimeout(1_500);
      const before = elsewhere.shards.length;
      await page.page.waitForTimeout(1_500);
      assert.equal(elsewhere.shards.length, before, "something is fetched while it rests");
      assert.ok(before < 5, "the download was over before it could rest");
      await pause.click();
      await drawsWithTwoLayers(page);
      await drawn(page);
      assert.equal(await kept(page, elsewhere.address), 0);
    } finally {
      elsewhere.slow = 0;
      await page.close();
    }
  });

  test("a large bundle loads nothing by itself, and one that is too large for the device is refused", async () => {
    const manifest = JSON.parse(readFileSync(join(made.bundle, "manifest.json"), "utf8"));
    const claims = (/** @type {number} */ bytes, /** @type {string[]} */ ...kinds) => {
      const large = structuredClone(manifest);
      const folder = join(made.folder, `claims-${kinds.length * bytes}`);
      cpSync(made.bundle, folder, { recursive: true });
      // A matrix with more rows than there are: they are only claimed.
      for (const kind of kinds) {
        const key = Object.keys(large.tensors).find((key) => key.startsWith(`${kind}/`) && large.tensors[key].dtype === "q8") ?? "";
        const [, ...inputs] = large.tensors[key].shape;
        const width = inputs.reduce((/** @type {number} */ product, /** @type {number} */ size) => product * size, 1);
        const rows = Math.round(bytes / (width + 2 * Math.ceil(width / 32)));
        large.tensors[key].shape = [rows, ...inputs];
        large.shards[large.tensors[key].shard].bytes += rows * (width + 2 * Math.ceil(width / 32));
      }
      writeFileSync(join(folder, "manifest.json"), JSON.stringify(large));
      return folder;
    };
    const page = await opened();
    const shown = async (/** @type {string} */ folder) => {
      await page.page.getByTestId("folder-input").setInputFiles(folder);
      await page.page.getByTestId("model-ask").waitFor();
      return page.page.getByTestId("model-ask").innerText();
    };
    assert.match(await shown(claims(150e6, "clip")), /Size\s+15[12] MB/);
    assert.equal(await page.state("progress"), null);
    assert.equal(await page.state("model"), null);
    await page.set({ prompt: "some words" });
    await page.press();
    assert.match(await page.page.locator("#status").innerText(), /Drawing begins when the model is loaded.*“Load it”/);
    await page.page.locator("#stop").click();
    const words = await shown(claims(2.2e9, "clip", "showo"));
    assert.match(words, /takes 4\.40 GB of memory.*Draw on a graphics device/s);
    assert.equal(await page.page.getByTestId("model-load").isVisible(), false);
    await page.page.getByTestId("model-back").click();
    await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.model?.bundle.startsWith("scenes "), null, { timeout: 60_000 });
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("folders that are no bundle are refused with what they are, and the model before stays", async () => {
    const page = await opened();
    const empty = join(made.folder, "photos");
    mkdirSync(empty);
    writeFileSync(join(empty, "a.txt"), "nothing");
    const other = join(made.folder, "format-99");
    cpSync(made.bundle, other, { recursive: true });
    writeFileSync(join(other, "manifest.json"), readFileSync(join(other, "manifest.json"), "utf8").replace('"format": 1', '"format": 99').replace('"format": 2', '"format": 99'));
    const refusal = async (/** @type {string} */ folder) => {
      await page.page.evaluate(() => document.querySelector("#error")?.replaceChildren());
      await page.page.getByTestId("folder-input").setInputFiles(folder);
      return page.refusal();
    };
    assert.match(await refusal(empty), /no manifest\.json in “photos”/);
    assert.match(await refusal(made.checkpoint), /“showo” is a checkpoint as Hugging Face has it \(config\.json, model\.safetensors\).*cargo run --release -p quantize -- convert --input showo=/s);
    assert.match(await refusal(made.folder), /holds \d+ bundles/);
    assert.equal((await page.state("source")).id, "scenes");
    await page.set({ prompt: "a star", steps: 1, candidates: 1, verifier: "none" });
    await page.draw();
    assert.match(await refusal(other), /format.*99/s);
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("a folder whose handle the browser gives is offered again after a reload", async () => {
    const page = await opened();
    // A private folder of the page's own stands for one of the visitor's: the browser's dialog cannot be pressed by a test.
    const files = readdirSync(made.bundle);
    await page.page.evaluate(async (files) => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("mine", { create: true });
      for (const [name, base64] of files) {
        const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
        await writable.write(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
        await writable.close();
      }
      /** @type {any} */ (window).showDirectoryPicker = async () => folder;
    }, files.map((file) => [file, readFileSync(join(made.bundle, file)).toString("base64")]));
    // The menu took the browser's own picker; the stand-in counts from its next start on.
    await page.page.addInitScript(() => {
      /** @type {any} */ (window).showDirectoryPicker = async () => (await navigator.storage.getDirectory()).getDirectoryHandle("mine");
    });
    await page.page.reload();
    await page.loaded();
    await menu(page);
    await page.page.getByTestId("open-folder").click();
    await drawsWithTwoLayers(page);
    await page.page.reload();
    await page.loaded();
    assert.equal((await page.state("source")).id, "scenes");
    await menu(page);
    await page.page.locator('[data-testid="model"][data-id="folder:mine/"]').click();
    await drawsWithTwoLayers(page);
    await drawn(page);
    await menu(page);
    await page.page.locator('[data-testid="forget"][data-id="folder:mine/"]').click();
    await page.page.waitForFunction(() => !/** @type {any} */ (window).showo.state.offered.some((/** @type {any} */ one) => one.kind === "folder"));
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  for (const width of [360, 1280]) {
    test(`the open menu at ${width} pixels: nothing that axe finds, nothing that sticks out, Escape closes it`, async () => {
      const page = await visit.open(visit.address, { viewport: { width, height: 800 } });
      await page.loaded();
      await menu(page);
      assert.deepEqual(await page.inaccessible(), []);
      assert.ok((await page.page.evaluate(() => document.documentElement.scrollWidth)) <= width);
      await page.page.locator("#bundle-address").press("Escape");
      assert.equal(await page.page.locator("#model-menu").getAttribute("open"), null);
      assert.equal(await page.page.evaluate(() => document.activeElement?.tagName), "SUMMARY");
      await page.close();
    });
  }
});
