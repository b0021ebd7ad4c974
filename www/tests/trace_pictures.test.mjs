// Pictures of a trace that are no pictures: each is named, with its event.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateSync } from "node:zlib";

import { pngFault } from "../app/png.js";
import { damagedPicture } from "../app/trace_pictures.js";

/** @param {string} type @param {Buffer} data */
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc(body));
  return Buffer.concat([length, body, sum]);
}

/** Bit by bit: another way than the page's. @param {Buffer} bytes */
function crc(bytes) {
  if (typeof crc32 === "function") return crc32(bytes);
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

/** @param {number} side @param {number} [claimed] what its head says */
function png(side, claimed = side) {
  const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  head.writeUInt32BE(claimed, 0);
  head.writeUInt32BE(claimed, 4);
  const rows = Buffer.alloc(side * (1 + 3 * side), 0);
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

test("a whole PNG of its size has no fault, and everything less has one", () => {
  const whole = png(8);
  assert.equal(pngFault(whole, 8, 8), null);
  for (let length = 0; length < whole.length; length += 1) assert.notEqual(pngFault(whole.subarray(0, length), 8, 8), null, `${length} bytes`);
  for (let at = 0; at < whole.length; at += 1) {
    const flipped = Buffer.from(whole);
    flipped[at] ^= 4;
    assert.notEqual(pngFault(flipped, 8, 8), null, `byte ${at}`);
  }
  assert.match(pngFault(png(8), 16, 16) ?? "", /8×8 pixels, not 16×16/);
  assert.match(pngFault(png(8, 100_000), 8, 8) ?? "", /100000×100000/);
  assert.equal(pngFault(Buffer.from("GIF89a"), 8, 8), "is no PNG");
  assert.equal(pngFault(Buffer.concat([whole.subarray(0, 33), chunk("IEND", Buffer.alloc(0))]), 8, 8), "holds no pixels");
});

test("the event and the picture are named, and what is the same is looked at once", async () => {
  const picture = (/** @type {string} */ png_base64) => ({ width_px: 8, height_px: 8, png_base64 });
  const step = (/** @type {any[]} */ ...previews) => ({ type: "step", candidates: previews.map((preview) => ({ preview })) });
  const events = /** @type {any[]} */ ([
    { type: "started" }, step(picture("good"), null, picture("good")), { type: "image", picture: picture("good") },
    { type: "reflection", before: picture("good"), after: picture("bad") }, { type: "finished", picture: picture("good") }]);
  let looks = 0;
  const faultOf = async (/** @type {any} */ { png_base64 }) => ((looks += 1), png_base64 === "bad" ? "ends too early" : null);
  assert.equal(await damagedPicture(events, faultOf), "Event 4 of this trace is damaged: its picture after ends too early.");
  assert.equal(looks, 2);
  events[3].after = picture("good");
  assert.equal(await damagedPicture(events, faultOf), null);
  assert.match((await damagedPicture([step(picture("good"), picture("bad"))], faultOf)) ?? "", /^Event 1 .* the preview of draw 2/);
  assert.match((await damagedPicture(/** @type {any[]} */ ([{ type: "finished", picture: picture("A") }]))) ?? "", /its picture is no base64/);
});
