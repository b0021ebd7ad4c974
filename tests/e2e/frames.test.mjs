// The page in frames that forbid something: what remains works, or a sentence says what the frame lacks.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";

import { serveMoodily } from "./server.mjs";
import { visiting } from "./visit.mjs";

describe("a sandboxed frame", { timeout: 300_000 }, () => {
  const visit = visiting("cpu");
  /** Files that any origin may read, as on many hosts. @type {Awaited<ReturnType<typeof serveMoodily>>} */
  let open;
  let markup = "";
  const blog = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(`<!doctype html>${markup}`));

  before(async () => {
    open = await serveMoodily(visit.address, { "Access-Control-Allow-Origin": "*" });
    await new Promise((resolve) => blog.listen(0, "127.0.0.1", () => resolve(null)));
  });
  after(() => {
    open.close();
    blog.close();
    blog.closeAllConnections();
  });

  /** @param {string} sandbox its tokens @param {string} [address] of the page */
  async function framed(sandbox, address = `${visit.address}?embed#prompt=a+star&steps=2&candidates=1&verifier=none`) {
    markup = `<iframe sandbox="${sandbox}" src="${address.replaceAll("&", "&amp;")}" width="480" height="640"></iframe>`;
    const { port } = /** @type {import("node:net").AddressInfo} */ (blog.address());
    const post = await visit.browser.newPage();
    /** @type {string[]} */
    const uncaught = [];
    post.on("pageerror", (error) => uncaught.push(error.message));
    await post.goto(`http://127.0.0.1:${port}/`);
    const frame = post.frames()[1];
    const words = () => frame.locator("body").innerText();
    return { post, frame, words, uncaught };
  }

  for (const how of /** @type {const} */ (["a click", "Enter"])) {
    test(`with scripts and an origin alone it draws, by ${how}`, async () => {
      const { post, frame, uncaught } = await framed("allow-scripts allow-same-origin");
      await frame.waitForFunction(() => "showo" in window);
      if (how === "Enter") await frame.locator("#prompt").press("Enter");
      else await frame.locator("#draw").click();
      await frame.waitForFunction(() => /** @type {any} */ (window).showo.events.at(-1)?.type === "finished", null, { timeout: 120_000 });
      assert.deepEqual(uncaught, []);
      await post.close();
    });
  }

  test("what cannot be saved, opened or copied is said", async () => {
    const { post, frame, words, uncaught } = await framed("allow-scripts allow-same-origin");
    await frame.waitForFunction(() => "showo" in window);
    await frame.locator("#draw").click();
    await frame.waitForFunction(() => /** @type {any} */ (window).showo.events.at(-1)?.type === "finished", null, { timeout: 120_000 });
    await frame.locator("#save-picture").click();
    assert.match(await words(), /allow-downloads/);
    await frame.locator("#full-page").click();
    assert.match(await words(), /allow-popups/);
    assert.match(await frame.locator("#by-hand").inputValue(), /^http.*prompt=a\+star/);
    assert.deepEqual(uncaught, []);
    await post.close();
  });

  test("a copy that may not be made is there to be taken by hand", async () => {
    const { post, frame, uncaught } = await framed("allow-scripts allow-same-origin", `${visit.address}#prompt=a+ring`);
    await frame.waitForFunction(() => "showo" in window);
    await frame.evaluate(() => Object.defineProperty(navigator, "clipboard", { get() { throw new DOMException("no", "SecurityError"); } }));
    await frame.locator("#copy-link").click();
    await frame.locator("#by-hand").waitFor();
    assert.match(await frame.locator("#by-hand").inputValue(), /#prompt=a\+ring/);
    assert.deepEqual(uncaught, []);
    await post.close();
  });

  for (const tokens of ["allow-scripts", "allow-scripts allow-forms", "allow-scripts allow-forms allow-popups allow-downloads"]) {
    for (const readable of [false, true]) {
      test(`with ${tokens}${readable ? ", from a host that anybody may read," : ""} it says what is lacking, before and after Draw`, async () => {
        const { post, frame, words, uncaught } = await framed(tokens, `${readable ? open.address : visit.address}?embed`);
        await frame.locator("#error", { hasText: "allow-same-origin" }).waitFor();
        if (readable) await frame.waitForFunction(() => "showo" in window);
        await frame.locator("#draw").click();
        await post.waitForTimeout(300);
        assert.match(await words(), /allow-same-origin/);
        assert.doesNotMatch(await words(), /Drawing begins|Loading/);
        assert.deepEqual(uncaught, []);
        await post.close();
      });
    }
  }

  test("without scripts it says so", async () => {
    const { post, words } = await framed("");
    assert.match(await words(), /no scripts.*allow-scripts/s);
    await post.close();
  });
});

describe("a browser that refuses its storage and its history", { timeout: 300_000 }, () => {
  const visit = visiting("cpu");

  test("draws, opens links, and hands on what is in the form", async () => {
    const page = await visit.open("about:blank", { permissions: ["clipboard-read", "clipboard-write"] });
    await page.page.addInitScript(() => {
      const refuse = () => { throw new DOMException("The operation is insecure.", "SecurityError"); };
      for (const [owner, name] of /** @type {[any, string][]} */ ([[Navigator.prototype, "serviceWorker"], [window, "localStorage"], [window, "sessionStorage"], [window, "caches"], [Document.prototype, "cookie"]])) {
        Object.defineProperty(owner, name, { get: refuse, configurable: true });
      }
      History.prototype.replaceState = refuse;
      History.prototype.pushState = refuse;
    });
    await page.page.goto(`${visit.address}#prompt=a+moon`);
    await page.loaded();
    for (let letter = 0; letter < 40; letter += 1) await page.page.locator("#prompt").fill(`a star${" ".repeat(letter)}`);
    await page.set({ prompt: "a heart", seed: 5, steps: 2, candidates: 1, verifier: "none" });
    const [{ settings }] = /** @type {any[]} */ (await page.draw());
    assert.equal(settings.prompt, "a heart");
    await page.page.locator("#copy-link").click();
    const link = await page.page.evaluate(() => navigator.clipboard.readText());
    assert.match(link, /#prompt=a\+heart&.*seed=5/);
    assert.match(String(await page.page.locator("#full-page").getAttribute("href")), /#prompt=a\+heart&/);
    assert.match(String(await page.page.locator("#other-device").getAttribute("href")), /device=webgpu#prompt=a\+heart&/);

    const trace = JSON.stringify(await page.events());
    await page.set({ prompt: "a ring" });
    await page.page.locator("#trace-file").setInputFiles({ name: "t.json", mimeType: "application/json", buffer: Buffer.from(trace) });
    await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.opened);
    assert.equal(await page.errorWords(), "");
    assert.equal(await page.page.locator("#prompt").inputValue(), "a heart");
    assert.deepEqual(page.faults, []);
    await page.close();
  });
});
