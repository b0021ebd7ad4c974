// fetch_cached.js against a real server that breaks off, forgets ranges, lies about sizes; Cache Storage is a map.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";

import { forget_shard, go_on, pause_downloads, shard_pieces } from "../fetch_cached.js";
import { forget_bundle, keep_shards, kept_bytes, kept_under } from "../kept_shards.js";

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
    const tag = behaviour.tags?.shift() ?? (behaviour.tag === undefined ? '"one"' : behaviour.tag);
    const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const still_same = !request.headers["if-range"] || request.headers["if-range"] === tag;
    const start = asked && behaviour.ranges !== false && still_same ? Number(asked[1]) : 0;
    const body = behaviour.body ?? BODY;
    response.writeHead(start ? 206 : 200, {
      ...(tag ? { ETag: tag } : {}),
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
    keys: async () => ["showo-shards-2"],
  };
});

/** The whole shard, where its pieces came from, and the longest of them. */
async function fetch_shard(url, expected_bytes) {
  const pieces = [];
  const sources = new Set();
  for await (const { bytes, source } of shard_pieces(url, expected_bytes)) {
    pieces.push(Buffer.from(bytes));
    sources.add(source);
  }
  return { bytes: Buffer.concat(pieces), sources: [...sources], longest: Math.max(...pieces.map((piece) => piece.length)) };
}

const same = (bytes) => assert.ok(Buffer.from(bytes).equals(Buffer.from(BODY)), "the bytes are the shard's");

test("the first fetch comes from the network, the second from the cache, neither of them whole", async () => {
  const first = await fetch_shard(`${base}/a.safetensors`, BODY.length);
  same(first.bytes);
  assert.deepEqual(first.sources, ["network"]);
  const second = await fetch_shard(`${base}/a.safetensors`, BODY.length);
  same(second.bytes);
  assert.deepEqual(second.sources, ["cache"]);
  assert.equal(requests.length, 1);
  for (const { longest } of [first, second]) assert.ok(longest <= 2 * 1024 * 1024, `a piece has ${longest} bytes`);
  assert.equal(stored.size, 3, "three pieces are kept");
});

test("a broken download goes on where it stopped", async () => {
  behaviour.cuts = [3_000_000, 4_000_000];
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length)).bytes);
  assert.equal(requests.length, 3);
  assert.ok(requests[1].range && requests[1].if_range === '"one"', "the second request asks for the rest");
});

test("a connection that breaks again and again is used to the shard's end, as long as it advances", async () => {
  behaviour.cuts = [500_000, 1_000_000, 1_000_000, 2_000_000, 2_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000];
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length)).bytes);
  assert.equal(requests.length, 10);
  // Without ranges each attempt begins anew; what counts is how far it comes.
  behaviour = { ranges: false, cuts: [500_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000] };
  same((await fetch_shard(`${base}/b.safetensors`, BODY.length)).bytes);
  // One that breaks at the same place each time does not go on for ever.
  behaviour = { cuts: Array(20).fill(1_000_000) };
  requests = [];
  await assert.rejects(fetch_shard(`${base}/c.safetensors`, BODY.length), { code: "shard_truncated" });
  assert.equal(requests.length, 4);
});

test("a download that an earlier visit left half done goes on from its last whole piece", async () => {
  behaviour.cuts = [3_000_000, 3_000_000, 3_000_000, 3_000_000];
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, BODY.length), { code: "shard_truncated", file: "a.safetensors" });
  behaviour.cuts = [];
  requests = [];
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length)).bytes);
  assert.equal(requests[0].range, `bytes=${2 * 1024 * 1024}-`);
  behaviour.status = 500;
  assert.deepEqual((await fetch_shard(`${base}/a.safetensors`, BODY.length)).sources, ["cache"], "what was taken up is kept whole");
});

test("a shard from a server without validators is kept, too, but only whole", async () => {
  behaviour = { tag: null, cuts: [3_000_000, 3_000_000, 3_000_000, 3_000_000] };
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, BODY.length), { code: "shard_truncated" });
  behaviour = { tag: null };
  requests = [];
  assert.deepEqual((await fetch_shard(`${base}/a.safetensors`, BODY.length)).sources, ["network"]);
  assert.equal(requests[0].range, undefined, "nothing says that the halves belong together");
  assert.deepEqual((await fetch_shard(`${base}/a.safetensors`, BODY.length)).sources, ["cache"]);
});

test("a shard replaced during the download is said to be", async () => {
  behaviour = { cuts: [3_000_000], tags: ['"one"', '"two"'] };
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, BODY.length), { code: "shard_replaced", file: "a.safetensors" });
});

test("a caller that wants no more ends the download", async () => {
  for await (const { bytes } of shard_pieces(`${base}/a.safetensors`, BODY.length)) {
    assert.ok(bytes.length > 0);
    break;
  }
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length)).bytes);
});

test("caches of earlier forms are removed", async () => {
  const removed = [];
  globalThis.caches.keys = async () => ["showo-shards-1", "showo-shards-2", "another"];
  globalThis.caches.delete = async (name) => void removed.push(name);
  await fetch_shard(`${base}/a.safetensors`, BODY.length);
  assert.ok(removed.length > 0 && removed.every((name) => name === "showo-shards-1"), removed.join());
});

test("a server without ranges sends the whole again", async () => {
  behaviour = { cuts: [3_000_000], ranges: false };
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length)).bytes);
});

test("a shard replaced between the halves is not glued to the old one", async () => {
  behaviour.cuts = [3_000_000, 3_000_000, 3_000_000, 3_000_000];
  behaviour.body = BODY.map((byte) => byte ^ 1);
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, BODY.length));
  behaviour = { tag: '"two"' };
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length)).bytes);
});

test("a forgotten shard is fetched again", async () => {
  await fetch_shard(`${base}/a.safetensors`, BODY.length);
  await forget_shard(`${base}/a.safetensors`);
  assert.equal(stored.size, 0);
  assert.deepEqual((await fetch_shard(`${base}/a.safetensors`, BODY.length)).sources, ["network"]);
});

test("a kept shard of another size belongs to an older bundle", async () => {
  const headers = { "Content-Length": "3", ETag: '"one"' };
  stored.set(`${base}/a.safetensors?showo-piece=0`, new Response(new Uint8Array(3), { headers }));
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length)).bytes);
});

test("missing, refused, too long and truncated shards are named", async () => {
  behaviour.status = 404;
  await assert.rejects(fetch_shard(`${base}/gone.safetensors`, 10), { code: "shard_missing", file: "gone.safetensors" });
  behaviour.status = 403;
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, 10), { code: "shard_refused" });
  behaviour = {};
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, 10), { code: "shard_too_long" });
  behaviour.body = BODY.subarray(0, 100);
  await assert.rejects(fetch_shard(`${base}/a.safetensors`, 200), { code: "shard_truncated" });
});

test("without Cache Storage, and with a full one, the shard still arrives", async () => {
  delete globalThis.caches;
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length)).bytes);
  await forget_shard(`${base}/a.safetensors`);
  globalThis.caches = {
    open: async () => ({
      match: async () => undefined,
      put: async () => { throw new DOMException("full", "QuotaExceededError"); },
      delete: async () => false,
      keys: async () => [],
    }),
    keys: async () => [],
  };
  same((await fetch_shard(`${base}/a.safetensors`, BODY.length)).bytes);
});

test("a pause ends the connection, asks nobody for anything, and the rest is fetched from where it was", async () => {
  const pieces = shard_pieces(`${base}/paused.safetensors`, BODY.length);
  const got = [Buffer.from((await pieces.next()).value.bytes)];
  pause_downloads();
  pause_downloads();
  const next = pieces.next();
  const rests = Symbol("rests");
  assert.equal(await Promise.race([next, new Promise((resolve) => setTimeout(() => resolve(rests), 300))]), rests);
  assert.equal(requests.length, 1);
  go_on();
  got.push(Buffer.from((await next).value.bytes));
  for await (const { bytes } of pieces) got.push(Buffer.from(bytes));
  same(Buffer.concat(got));
  assert.deepEqual(requests.slice(1).map(({ range, if_range }) => [range, if_range]), [[`bytes=${got[0].length}-`, '"one"']]);
  assert.equal(stored.size, 3, "what arrived before and after the pause is kept as one");
});

test("a pause at the very end fetches nothing more", async () => {
  const pieces = shard_pieces(`${base}/end.safetensors`, BODY.length);
  let received = 0;
  while (received < BODY.length) received += (await pieces.next()).value.bytes.length;
  pause_downloads();
  assert.ok((await pieces.next()).done);
  go_on();
  assert.equal(requests.length, 1);
});

test("what is kept of a bundle is counted, and forgotten without its neighbours", async () => {
  const shards = [{ file: "a.safetensors", bytes: BODY.length }, { file: "b.safetensors", bytes: BODY.length }];
  await fetch_shard(`${base}/one/a.safetensors`, BODY.length);
  await fetch_shard(`${base}/one-more/a.safetensors`, BODY.length);
  assert.equal(await kept_bytes(`${base}/one/`, shards), BODY.length);
  const half = shard_pieces(`${base}/one/b.safetensors`, BODY.length);
  let received = 0;
  while (received < 2.5 * 1024 * 1024) received += (await half.next()).value.bytes.length;
  await half.return(undefined);
  assert.equal(await kept_bytes(`${base}/one/`, shards), BODY.length + 2 * 1024 * 1024);
  await forget_bundle(`${base}/one/`);
  assert.deepEqual([await kept_under(`${base}/one/`), await kept_under(`${base}/one-more/`)], [false, true]);
  assert.equal(await kept_bytes(`${base}/one/`, shards), 0);
});

test("where a bundle would not fit, nothing is kept, and it comes all the same", async () => {
  keep_shards(false);
  try {
    same((await fetch_shard(`${base}/unkept.safetensors`, BODY.length)).bytes);
    assert.equal(stored.size, 0);
  } finally {
    keep_shards(true);
  }
});

test("of another site nothing is asked that it would first have to allow; its own validator tells versions apart", async () => {
  const here = /** @type {any} */ (globalThis);
  here.location = new URL("https://example.org/");
  try {
    behaviour = { cuts: [3_000_000] };
    same((await fetch_shard(`${base}/cors.safetensors`, BODY.length)).bytes);
    assert.deepEqual(requests.map(({ range, if_range }) => [range?.slice(0, 6), if_range]), [[undefined, undefined], ["bytes=", undefined]]);
    // Half of an older version is kept: the server sends a range of the new one, which does not belong to it.
    await forget_bundle(base);
    const half = shard_pieces(`${base}/cors.safetensors`, BODY.length);
    let received = 0;
    while (received < 2.5 * 1024 * 1024) received += (await half.next()).value.bytes.length;
    await half.return(undefined);
    requests = [];
    behaviour = { tag: '"two"', body: BODY.map((value) => value ^ 1) };
    const { bytes } = await fetch_shard(`${base}/cors.safetensors`, BODY.length);
    assert.ok(bytes.equals(Buffer.from(behaviour.body)), "no two versions are joined");
    assert.deepEqual(requests.map(({ range }) => range), ["bytes=2097152-", undefined]);
  } finally {
    delete here.location;
  }
});
