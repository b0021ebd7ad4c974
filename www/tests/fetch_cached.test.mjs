// fetch_cached.js against a real server that breaks off, forgets ranges, lies about sizes; Cache Storage is a map.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";

import { fetch_shard, forget_shard } from "../fetch_cached.js";

const BODY = new Uint8Array(5 * 1024 * 1024 + 17).map((_, index) => (index * 31) % 251);

/** What the server does, set by each test. */
let behaviour = {};
let requests = [];
let server;
let base;
let stored;

before(async () => {
  server = createServer((request, response) => {
    requests.push({ url: request.url, range: request.headers.range, if_range: request.headers["if-range"] });
    if (behaviour.status) return response.writeHead(behaviour.status).end();
    const tag = behaviour.tag ?? '"one"';
    const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const still_same = !request.headers["if-range"] || request.headers["if-range"] === tag;
    const start = asked && behaviour.ranges !== false && still_same ? Number(asked[1]) : 0;
    const body = behaviour.body ?? BODY;
    response.writeHead(start ? 206 : 200, {
      ETag: tag,
      "Content-Length": body.length - start,
      ...(start ? { "Content-Range": `bytes ${start}-${body.length - 1}/${body.length}` } : {}),
    });
    const cut = behaviour.cuts?.shift();
    if (cut === undefined) return response.end(body.subarray(start));
    response.write(body.subarray(start, cut), () => setTimeout(() => response.destroy(), 20));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

beforeEach(() => {
  behaviour = {};
  requests = [];
  stored = new Map();
  globalThis.caches = {
    open: async () => ({
      match: async (url) => stored.get(url)?.clone(),
      put: async (url, response) => void stored.set(url, response),
      delete: async (request) => stored.delete(request.url ?? request),
      keys: async () => [...stored.keys()].map((url) => ({ url })),
    }),
  };
});

const same = (bytes) => assert.ok(Buffer.from(bytes).equals(Buffer.from(BODY)), "the bytes are the shard's");

test("the first fetch comes from the network, the second from the cache", async () => {
  const seen = [];
  const first = await fetch_shard(`${base}/a.safetensors`, BODY.length, (progress) => seen.push(progress));
  same(first.bytes);
  assert.equal(first.source, "network");
  assert.deepEqual(seen.at(-1), { bytes_done: BODY.length, bytes_total: BODY.length, source: "network" });
  assert.deepEqual([...stored.keys()], [`${base}/a.safetensors`], "no pieces are left over");
  const second = await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {});
  same(second.bytes);
  assert.equal(second.source, "cache");
  assert.equal(requests.length, 1);
});

test("a broken download goes on where it stopped", async () => {
  behaviour.cuts = [3_000_000, 4_000_000];
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {})).bytes);
  assert.equal(requests.length, 3);
  assert.ok(requests[1].range && requests[1].if_range === '"one"', "the second request asks for the rest");
});

test("a download that an earlier visit left half done goes on from its last whole piece", async () => {
  behaviour.cuts = [3_000_000, 3_000_000, 3_000_000, 3_000_000];
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, BODY.length, () => {}), { code: "shard_truncated", file: "a.safetensors" });
  behaviour.cuts = [];
  requests = [];
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {})).bytes);
  assert.equal(requests[0].range, `bytes=${2 * 1024 * 1024}-`);
});

test("a server without ranges sends the whole again", async () => {
  behaviour = { cuts: [3_000_000], ranges: false };
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {})).bytes);
});

test("a shard replaced between the halves is not glued to the old one", async () => {
  behaviour.cuts = [3_000_000, 3_000_000, 3_000_000, 3_000_000];
  behaviour.body = BODY.map((byte) => byte ^ 1);
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, BODY.length, () => {}));
  behaviour = { tag: '"two"' };
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {})).bytes);
});

test("a forgotten shard is fetched again", async () => {
  await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {});
  await forget_shard(`${base}/a.safetensors`);
  assert.equal(stored.size, 0);
  assert.equal((await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {})).source, "network");
});

test("a kept shard of another size belongs to an older bundle", async () => {
  stored.set(`${base}/a.safetensors`, new Response(new Uint8Array(3)));
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {})).bytes);
});

test("missing, refused, too long and truncated shards are named", async () => {
  behaviour.status = 404;
  await assert.rejects(fetch_shard(`${base}/gone.safetensors`, 10, () => {}), { code: "shard_missing", file: "gone.safetensors" });
  behaviour.status = 403;
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, 10, () => {}), { code: "shard_refused" });
  behaviour = {};
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, 10, () => {}), { code: "shard_too_long" });
  behaviour.body = BODY.subarray(0, 100);
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, 200, () => {}), { code: "shard_truncated" });
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, 2 ** 52, () => {}), { code: "shard_too_large" });
});

test("without Cache Storage, and with a full one, the shard still arrives", async () => {
  delete globalThis.caches;
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {})).bytes);
  await forget_shard(`${base}/a.safetensors`);
  globalThis.caches = {
    open: async () => ({
      match: async () => undefined,
      put: async () => { throw new DOMException("full", "QuotaExceededError"); },
      delete: async () => false,
      keys: async () => [],
    }),
  };
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length, () => {})).bytes);
});
