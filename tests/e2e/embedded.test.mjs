// The page in somebody's blog post: a frame of another origin, made of the code that “Copy embed code” gives.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";

import { ofType } from "./trace_checks.mjs";
import { visiting } from "./visit.mjs";

describe("embedded in another site's page", { timeout: 300_000 }, () => {
  const visit = visiting("cpu");
  /** What the blog post holds. */
  let code = "";
  const blog = createServer((_, response) => {
    response.writeHead(200, { "Content-Type": "text/html" }).end(`<!doctype html><title>A blog post</title>${code}`);
  });

  before(() => new Promise((resolve) => blog.listen(0, "127.0.0.1", () => resolve(null))));
  after(() => {
    blog.close();
    blog.closeAllConnections();
  });

  test("nothing is loaded until Draw is pressed, and then the picture is the one that the code was copied from", async () => {
    const page = await visit.open(visit.address, { permissions: ["clipboard-read", "clipboard-write"] });
    await page.loaded();
    await page.set({ prompt: "a star", seed: 12, steps: 4, candidates: 2, verifier: "parm", reflection: false });
    const [{ tokens }] = ofType(await page.draw(), "finished");
    await page.page.locator("#copy-embed").click();
    code = await page.page.evaluate(() => navigator.clipboard.readText());
    await page.close();

    const { port } = /** @type {import("node:net").AddressInfo} */ (blog.address());
    const post = await visit.browser.newPage();
    /** @type {string[]} */
    const asked = [];
    post.on("request", (request) => asked.push(request.url()));
    await post.goto(`http://127.0.0.1:${port}/`);
    const frame = post.frames()[1];
    await frame.waitForFunction(() => "showo" in window);
    assert.equal(await frame.locator("#prompt").inputValue(), "a star");
    assert.deepEqual(asked.filter((address) => /\.(wasm|safetensors|json)$/.test(address)), []);

    await frame.locator("#draw").click();
    await frame.waitForFunction(
      () => /** @type {any} */ (window).showo.events.at(-1)?.type === "finished", null, { timeout: 180_000 });
    const events = await frame.evaluate(() => /** @type {any} */ (window).showo.events);
    assert.deepEqual(ofType(events, "finished")[0].tokens, tokens);
    await post.close();
  });
});
