// Comparing pictures, and what the native command makes of the same tokens.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { BUNDLE, NATIVE } from "./places.mjs";

/** @typedef {{ width: number, height: number, rgba: number[] }} Pixels */

/** Sums in another order, and 8 bits at the end: half a step on average, more where a decoder is steep. */
export const TOLERANCE = { mean: 2, highest: 24 };

/**
 * Decodes tokens with the native `showo decode`.
 *
 * @param {number[]} tokens
 * @param {string} [bundle] that drew them
 * @returns {Promise<string>} a PNG file, base64
 */
export async function decodeNatively(tokens, bundle = BUNDLE) {
  const folder = await mkdtemp(join(tmpdir(), "showo-e2e-"));
  try {
    const [file, picture] = [join(folder, "tokens.json"), join(folder, "picture.png")];
    await writeFile(file, JSON.stringify(tokens));
    await promisify(execFile)(NATIVE, ["decode", "--bundle", bundle, "--tokens", file, "--out", picture]);
    return (await readFile(picture)).toString("base64");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * How far two pictures are apart, in steps of 1/255 over the three colours.
 *
 * @param {Pixels} one
 * @param {Pixels} other
 */
export function difference(one, other) {
  assert.deepEqual([one.width, one.height], [other.width, other.height], "the pictures differ in size");
  let [sum, count, highest] = [0, 0, 0];
  for (let index = 0; index < one.rgba.length; index += 1) {
    if (index % 4 === 3) continue;
    const apart = Math.abs(one.rgba[index] - other.rgba[index]);
    sum += apart;
    count += 1;
    highest = Math.max(highest, apart);
  }
  return { mean: sum / count, highest };
}

/** @param {Pixels} one @param {Pixels} other @param {string} what */
export function assertAlike(one, other, what) {
  const { mean, highest } = difference(one, other);
  assert.ok(mean <= TOLERANCE.mean && highest <= TOLERANCE.highest,
    `${what}: ${mean.toFixed(2)}/255 apart on average and ${highest}/255 at most; allowed are ${TOLERANCE.mean} and ${TOLERANCE.highest}`);
}

/** @param {Pixels} picture */
export function assertNotBlank({ width, height, rgba }) {
  const colours = new Set();
  for (let index = 0; index < rgba.length; index += 4) colours.add((rgba[index] << 16) | (rgba[index + 1] << 8) | rgba[index + 2]);
  assert.ok(width > 0 && height > 0 && colours.size > 8, `the picture has ${colours.size} colours`);
  for (let index = 3; index < rgba.length; index += 4) assert.equal(rgba[index], 255, "the picture is transparent in places");
}
