// The service worker in a browser that is made of maps: one version, whole, whatever network and storage do.
import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";

const SOURCE = readFileSync(new URL("../sw.js", import.meta.url), "utf8");
const HOME = "https://example.org/drawing/";

/** A page's files, and their list as xtask writes it. @param {string} word @param {Record<string, string>} [more] */
function built(word, more = {}) {
  const files = { "index.html": `page ${word}`, "app/main.js": `main ${word}`, "showo_bg.wasm": "the same", "models/a b/manifest.json": `manifest ${word}`, ...more };
  const hashes = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, createHash("sha256").update(text).digest("hex")]));
  return { ...files, "offline.json": JSON.stringify({ files: hashes }) };
}

class FakeCache {
  /** @type {Map<string, { body: ArrayBuffer, headers: [string, string][] }>} */
  kept = new Map();
  constructor(/** @type {any} */ faults) {
    this.faults = faults;
  }
  async match(/** @type {any} */ request) {
    if (this.faults.match) throw new Error("the disk cannot be read");
    const kept = this.kept.get(request.url ?? String(request));
    return kept && new Response(kept.body.slice(0), { headers: kept.headers });
  }
  async put(/** @type {any} */ request, /** @type {Response} */ response) {
    if (this.faults.put) throw new DOMException("the disk is full", "QuotaExceededError");
    // As the real one does.
    if (response.status === 206 || response.headers.get("Vary") === "*") throw new TypeError("cannot be kept");
    this.kept.set(request.url ?? String(request), { body: await response.arrayBuffer(), headers: [...response.headers] });
  }
  async delete(/** @type {any} */ request) {
    return this.kept.delete(request.url ?? String(request));
  }
  async keys() {
    return [...this.kept.keys()].map((url) => ({ url }));
  }
}

/** A browser that keeps its caches from one start of the worker to the next. */
class Browser {
  /** @type {Record<string, boolean>} what its storage refuses */
  faults = {};
  /** @type {Map<string, FakeCache>} */
  kept = new Map();
  /** @type {{ id: string, url: string }[]} */
  open = [];
  /** @type {string[]} what was asked of the network */
  asked = [];
  visits = 0;
  online = true;
  /** @type {Record<string, string>} */
  site = built("A");
  /** @type {(name: string, request: any, signal?: AbortSignal) => Promise<Response>} */
  serve = async (name) => (name in this.site ? new Response(this.site[name], { headers: { "Content-Type": "text/x" } }) : new Response("no", { status: 404 }));

  /** The worker is started, as a browser does whenever it needs it. */
  start() {
    /** @type {Map<string, (event: any) => void>} */
    this.listeners = new Map();
    const browser = this;
    const caches = {
      async open(/** @type {string} */ name) {
        if (browser.faults.open) throw new Error("storage is off");
        if (!browser.kept.has(name)) browser.kept.set(name, new FakeCache(browser.faults));
        return browser.kept.get(name);
      },
      async keys() {
        if (browser.faults.keys) throw new Error("storage is off");
        return [...browser.kept.keys()];
      },
      has: async (/** @type {string} */ name) => browser.kept.has(name),
      delete: async (/** @type {string} */ name) => browser.kept.delete(name),
    };
    const self = {
      addEventListener: (/** @type {string} */ type, /** @type {any} */ listener) => this.listeners?.set(type, listener),
      skipWaiting: async () => {},
      clients: {
        claim: async () => {},
        matchAll: async () => {
          if (browser.faults.clients) throw new Error("no clients");
          return browser.open;
        },
      },
    };
    const fetch = (/** @type {any} */ request, /** @type {any} */ options = {}) => {
      const url = new URL(request.url ?? request);
      const name = decodeURIComponent(url.href.slice(HOME.length).split(/[?#]/)[0]) || "index.html";
      this.asked.push(name);
      return new Promise((resolve, reject) => {
        options.signal?.addEventListener("abort", () => reject(new Error("aborted")));
        this.serve(name, request, options.signal).then(resolve, reject);
      });
    };
    // Long pauses are for tidying and for giving up; only the visitor's patience is waited for.
    const timers = { setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => (ms > 1000 ? setTimeout(run, 1e6).unref() : setTimeout(run, ms / 10)), clearTimeout };
    const context = createContext({
      self, caches, fetch, ...timers, location: { href: `${HOME}sw.js` }, navigator: { get onLine() { return browser.online; } },
      crypto: webcrypto, console: { warn() {} }, Response, Headers, URL, Blob, TextDecoder, AbortController, Uint8Array, ArrayBuffer, Date,
    });
    runInContext(SOURCE, context);
    return this;
  }

  /** @param {string} type @param {object} [more] */
  async happen(type, more = {}) {
    /** @type {Promise<any>[]} */
    const waits = [];
    /** @type {Promise<Response> | undefined} */
    let answer;
    const event = { waitUntil: (/** @type {any} */ wait) => waits.push(wait), respondWith: (/** @type {any} */ given) => (answer = given), clientId: "", resultingClientId: "", ...more };
    this.listeners?.get(type)?.(event);
    if (type !== "fetch") await Promise.all(waits);
    return answer;
  }

  async install() {
    this.start();
    await this.happen("install");
    await this.happen("activate");
    return this;
  }

  /** Opens the page; the answer asks for what the page then needs. @param {string} [query] */
  async visit(query = "") {
    const id = `client-${(this.visits += 1)}`;
    const response = await this.happen("fetch", { resultingClientId: id, request: { method: "GET", mode: "navigate", url: HOME + query } });
    this.open.push({ id, url: HOME + query });
    const file = async (/** @type {string} */ name) => {
      const answer = await this.happen("fetch", { clientId: id, request: { method: "GET", mode: "cors", url: HOME + name } });
      return answer && (await answer);
    };
    const text = async (/** @type {string} */ name) => (await file(name))?.text();
    return { id, html: await response?.text(), file, text, close: () => (this.open = this.open.filter((client) => client.id !== id)) };
  }

  /** The words of the versions that are kept. */
  versions() {
    return [...this.kept].filter(([name]) => !name.endsWith(":open")).map(([, cache]) => {
      const page = cache.kept.get(`${HOME}index.html`);
      return page && Buffer.from(page.body).toString().replace("page ", "");
    });
  }
}

const rest = (ms = 30) => new Promise((resolve) => setTimeout(resolve, ms));
const never = () => new Promise(() => {});

/** What may be between a visitor and the page. @type {[string, (browser: Browser) => void][]} */
const BAD_NETWORKS = [
  ["says that there is none", (browser) => (browser.online = false, browser.serve = async () => { throw new TypeError("Failed to fetch"); })],
  ["breaks every connection", (browser) => (browser.serve = async () => { throw new TypeError("Failed to fetch"); })],
  ["never answers", (browser) => (browser.serve = never)],
  ["answers after three seconds", (browser) => (browser.serve = async () => { await rest(3_000); return new Response("late"); })],
  ["begins an answer and never ends it", (browser) => (browser.serve = async () => new Response(new ReadableStream({ start: (stream) => stream.enqueue(new Uint8Array(4)) })))],
  ["answers everything with a portal's page", (browser) => (browser.serve = async () => new Response("<html>Sign in", { headers: { "Content-Type": "text/html" } }))],
  ["answers with a portal's JSON", (browser) => (browser.serve = async () => new Response('{"login":"here"}'))],
  ["answers 500", (browser) => (browser.serve = async () => new Response("oops", { status: 500 }))],
  ["answers 404", (browser) => (browser.serve = async () => new Response("gone", { status: 404 }))],
  ["answers with half of everything", (browser) => (browser.serve = async (name) => new Response(browser.site[name].slice(0, 5), { status: 206 }))],
  ["has a new list and old files", (browser) => (browser.site = { ...built("A"), "offline.json": built("B")["offline.json"] })],
  ["has new files and an old list", (browser) => (browser.site = { ...built("B"), "offline.json": built("A")["offline.json"] })],
  ["has a new version but for one file", (browser) => { browser.site = built("B"); delete browser.site["app/main.js"]; }],
];

for (const [what, spoil] of BAD_NETWORKS) {
  test(`a kept page opens whole and soon where the network ${what}`, async () => {
    const browser = await new Browser().install();
    spoil(browser);
    // Also by a worker that was started anew, which remembers nothing.
    browser.start();
    const began = Date.now();
    const visit = await browser.visit("?device=cpu");
    assert.equal(visit.html, "page A");
    assert.equal(await visit.text("app/main.js?x"), "main A");
    assert.equal(await visit.text("models/a%20b/manifest.json"), "manifest A");
    assert.ok(Date.now() - began < 400);
    await rest();
    assert.equal((await browser.visit()).html, "page A", "nothing of that is kept");
  });
}

test("a new version is taken over as a whole, at once where it comes soon", async () => {
  const browser = await new Browser().install();
  browser.site = built("B");
  const visit = await browser.visit();
  assert.deepEqual([visit.html, await visit.text("app/main.js")], ["page B", "main B"]);
});

test("a new version that comes late is the next visit's, and what is open stays of its own", async () => {
  const browser = await new Browser().install();
  browser.site = built("B");
  const prompt = browser.serve;
  browser.serve = async (...asked) => { await rest(200); return prompt(...asked); };
  const old = await browser.visit();
  assert.equal(old.html, "page A");
  await rest(700);
  browser.serve = prompt;
  assert.equal(await old.text("app/main.js"), "main A");
  // A worker that is started anew has only its notes to go by.
  browser.start();
  const fresh = await browser.visit();
  assert.deepEqual([fresh.html, await fresh.text("app/main.js")], ["page B", "main B"]);
  assert.equal(await old.text("models/a%20b/manifest.json"), "manifest A");
});

test("what hung on one visit is in no later visit's way", async () => {
  const browser = await new Browser().install();
  const prompt = browser.serve;
  for (const hangs of ["offline.json", "app/main.js"]) {
    const word = `after ${hangs}`;
    browser.site = built(word);
    browser.serve = async (name, ...more) => (name === hangs ? never() : prompt(name, ...more));
    assert.notEqual((await browser.visit()).html, `page ${word}`);
    browser.serve = prompt;
    const now = Date.now;
    Date.now = () => now() + 3_000;
    try {
      assert.equal((await browser.visit()).html, `page ${word}`);
    } finally {
      Date.now = now;
    }
  }
});

test("what did not change is not fetched again", async () => {
  const browser = await new Browser().install();
  browser.site = built("B");
  browser.asked = [];
  await browser.visit();
  assert.deepEqual(browser.asked.sort(), ["app/main.js", "index.html", "models/a b/manifest.json", "offline.json"]);
});

test("a version that nothing shows any more is removed, and one that is open is not", async () => {
  const browser = await new Browser().install();
  const old = await browser.visit();
  browser.site = built("B");
  await browser.visit();
  assert.deepEqual(browser.versions(), ["A", "B"]);
  old.close();
  browser.site = built("C");
  // Long after.
  const now = Date.now;
  Date.now = () => now() + 60_000;
  try {
    await browser.start().visit();
  } finally {
    Date.now = now;
  }
  assert.deepEqual(browser.versions(), ["B", "C"]);
});

test("a worker of a page is of the page's version", async () => {
  const browser = await new Browser().install();
  const page = await browser.visit();
  browser.site = built("B");
  await browser.visit();
  const ask = async (/** @type {object} */ more) => (await (await browser.happen("fetch", more)))?.text();
  await ask({ clientId: page.id, resultingClientId: "worker", request: { method: "GET", mode: "same-origin", url: `${HOME}app/main.js` } });
  browser.start();
  assert.equal(await ask({ clientId: "worker", request: { method: "GET", mode: "cors", url: `${HOME}models/a%20b/manifest.json` } }), "manifest A");
});

for (const fault of ["open", "keys", "match", "put", "clients"]) {
  test(`where the browser's storage rejects ${fault}, the page still comes, whole`, async () => {
    const browser = await new Browser().install();
    browser.faults[fault] = true;
    browser.start();
    const visit = await browser.visit();
    assert.deepEqual([visit.html, await visit.text("app/main.js")], ["page A", "main A"]);
    browser.faults[fault] = false;
    browser.faults.match = true;
    assert.equal(await visit.text("models/a%20b/manifest.json"), "manifest A", "a file that is kept no more comes from the network");
  });
}

test("a file that is kept no more is never replaced by another version's", async () => {
  const browser = await new Browser().install();
  const visit = await browser.visit();
  for (const cache of browser.kept.values()) cache.kept.delete(`${HOME}app/main.js`);
  browser.site = { ...built("B"), "offline.json": built("A")["offline.json"] };
  const answer = await visit.file("app/main.js");
  assert.equal(answer?.type, "error");
  const again = await browser.visit();
  assert.deepEqual([again.html, await again.text("app/main.js")], ["page B", "main B"], "the page is loaded again, from the network");
});

test("nothing is taken over that the list does not vouch for", async () => {
  const browser = new Browser().start();
  browser.site = { ...built("A"), "index.html": "<html>Sign in" };
  await assert.rejects(browser.happen("install"), /index\.html/);
  browser.site["offline.json"] = '{"files":{}}';
  await assert.rejects(browser.happen("install"), /offline\.json/);
  assert.equal((await browser.visit()).html, "<html>Sign in");
});

test("a server's headers stay but for those of the journey", async () => {
  const browser = new Browser();
  const headers = { "Content-Type": "text/html", "Cross-Origin-Opener-Policy": "same-origin", Vary: "*", "Content-Encoding": "br" };
  browser.serve = async (name) => new Response(browser.site[name], { headers });
  await browser.install();
  browser.serve = never;
  const response = await (await browser.happen("fetch", { resultingClientId: "x", request: { method: "GET", mode: "navigate", url: HOME } }));
  assert.deepEqual([...(response?.headers ?? [])].sort(), [["content-length", "6"], ["content-type", "text/html"], ["cross-origin-opener-policy", "same-origin"]]);
});

test("shards, other methods and other folders are left alone", async () => {
  const browser = await new Browser().install();
  for (const [method, url] of [["GET", `${HOME}models/a/x.safetensors`], ["POST", HOME], ["GET", "https://example.org/"], ["GET", `${HOME}%E0%A4%A`]]) {
    assert.equal(await browser.happen("fetch", { request: { method, url, mode: "cors" } }), undefined, url);
  }
});

test("another page on the same site keeps its own, and older forms are removed", async () => {
  const browser = new Browser();
  browser.kept.set("showo-page-2:/other/:abc", new FakeCache({}));
  browser.kept.set("showo-page-1", new FakeCache({}));
  await browser.install();
  browser.site = built("B");
  await browser.visit();
  assert.ok(browser.kept.has("showo-page-2:/other/:abc"));
  assert.ok(!browser.kept.has("showo-page-1"));
});
