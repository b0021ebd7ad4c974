// Brings a bundle's files to the engine: from a server, once, after which they are kept (kept_shards.js); or from a folder that the
// visitor opened (folder_files.js).
//
// The engine imports these functions through wasm-bindgen. Nothing here trusts a byte: the engine checks every shard's hash,
// and calls `forget_shard` for one that fails.
//
// A shard may be larger than the memory there is: it is fetched, handed on and kept in pieces, never held whole.

import { folder_answer, folder_pieces, is_in_folder } from "./folder_files.js";
import { absolute, forget_shard, Keeper, kept_of, open_store, PIECE_BYTES, piece_address } from "./kept_shards.js";

export { forget_shard };

/** How often in a row a download may break off without having advanced before it is given up. */
const ATTEMPTS = 4;

/** After an attempt that advanced, in milliseconds; doubled after each that did not. */
const FIRST_PAUSE_MS = 250;

/** A server that says nothing for so long, in milliseconds, is asked again. */
const SILENCE_MS = 30_000;

/**
 * @typedef {{ bytes: Uint8Array<ArrayBuffer>, source: "network" | "cache" | "disk" }} Piece
 * @typedef {{ code: string, message: string, remedy: string, file: string }} ShardError
 */

/**
 * One shard from its beginning to its end, from the cache as far as it is kept there, otherwise from the network. A half
 * download is continued with a Range request; of a server without ranges, what is there already is passed over.
 *
 * @param {string} url
 * @param {number} expected_bytes what the manifest says
 * @returns {AsyncGenerator<Piece, void, void>} pieces of any size up to a few megabytes
 * @throws {ShardError} `shard_missing`, `shard_refused`, `shard_truncated`, `shard_too_long`, `shard_replaced`, `folder_changed`, `network`
 */
export async function* shard_pieces(url, expected_bytes) {
  const address = absolute(url);
  if (is_in_folder(address)) return yield* folder_pieces(address);
  const store = await open_store();
  const kept = await kept_of(store, address, expected_bytes);
  /** @type {Download} */
  const download = { received: 0, validator: null, keeper: new Keeper(store, address, expected_bytes) };
  if (kept.bytes === expected_bytes) return yield* kept_pieces(store, address, kept.bytes, download);

  for (let stalled = 0; ;) {
    await going_on;
    const before = download.received;
    try {
      // What is kept counts only once the server has said that the rest still belongs to it.
      const start = download.received || (is_strong(kept.validator) ? kept.bytes : 0);
      const validator = download.received ? download.validator : kept.validator;
      const answer = await ask(address, start, validator);
      if (answer.from > 0 && validator && answer.validator && answer.validator !== validator) {
        await answer.response.body?.cancel();
        if (download.received > 0) throw replaced(address);
        // What is kept is of another version.
        kept.bytes = 0;
        continue;
      }
      const same = answer.from > 0 || (answer.validator !== null && answer.validator === validator);
      if (download.received === 0) {
        if (same && start > 0) {
          download.keeper.begin(start, kept.validator);
          yield* kept_pieces(store, address, start, download);
        } else {
          download.keeper.begin(0, answer.validator);
        }
      } else if (!same && validator !== null) {
        throw replaced(address);
      }
      download.validator = answer.validator ?? validator;
      yield* receive(answer, address, expected_bytes, download);
      return;
    } catch (problem) {
      if (problem === PAUSED) continue;
      if (is_final(problem)) throw problem;
      // A connection that breaks again and again, but further on each time, brings the shard to its end.
      stalled = download.received > before ? 1 : stalled + 1;
      if (stalled === ATTEMPTS) throw broken_off(address, expected_bytes, download.received, problem);
      await pause(FIRST_PAUSE_MS * 2 ** (stalled - 1));
    }
  }
}

/** Thrown within this file where a pause ends a connection. */
const PAUSED = Symbol("paused");

/** Kept while nothing is paused. */
let going_on = Promise.resolve();
/** @type {(() => void) | null} ends the pause */
let end_pause = null;

/** Downloads rest until `go_on`: no server is asked for anything, and what has arrived stays. */
export function pause_downloads() {
  if (end_pause) return;
  going_on = new Promise((resolve) => {
    end_pause = resolve;
  });
}

/** Downloads go on where they were paused. */
export function go_on() {
  end_pause?.();
  end_pause = null;
}

/**
 * Fetches something small: again where the connection or the server fails for a moment. The last answer counts, whatever it is.
 *
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 * @throws {Error} nobody answered
 */
export async function fetch_patiently(url, options = {}) {
  if (is_in_folder(url)) return folder_answer(url);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch_or_silence(absolute(url), options);
      if (attempt === ATTEMPTS || !is_passing(response.status)) return response;
    } catch (problem) {
      if (attempt === ATTEMPTS) throw problem;
    }
    await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
  }
}

/** As `fetch`, but not for ever. @param {string} address @param {RequestInit} options @returns {Promise<Response>} */
function fetch_or_silence(address, options) {
  const given_up = new AbortController();
  return unless_silent(fetch(address, { ...options, signal: given_up.signal }), () => given_up.abort());
}

/**
 * What is waited for, or an error where it does not come for a long time.
 *
 * @template T
 * @param {Promise<T>} answer
 * @param {() => void} [give_up] called then
 * @returns {Promise<T>}
 */
async function unless_silent(answer, give_up = () => {}) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the server has said nothing for ${SILENCE_MS / 1000} s`)), SILENCE_MS);
  });
  try {
    return await Promise.race([answer, /** @type {Promise<never>} */ (silence)]);
  } catch (problem) {
    give_up();
    throw problem;
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a server says that it may do better later. @param {number} status */
function is_passing(status) {
  return status >= 500 || status === 408 || status === 429;
}

/**
 * Where a download stands: what was handed on, and of which version of the file.
 *
 * @typedef {{ received: number, validator: string | null, keeper: Keeper }} Download
 * @typedef {{ response: Response, from: number, validator: string | null }} Answer `from` is the first byte that it holds
 */

/**
 * @param {string} address
 * @param {number} start
 * @param {string | null} validator
 * @returns {Promise<Answer>}
 */
async function ask(address, start, validator) {
  const headers = new Headers();
  if (start > 0) {
    headers.set("Range", `bytes=${start}-`);
    // Without it, a shard replaced on the server between the halves would be glued to the old one. Other sites would first have to be
    // asked whether they may be asked so; there the answer's own validator is looked at.
    if (validator && is_of_this_site(address)) headers.set("If-Range", validator);
  }
  // This cache is the one that counts: the browser's own would only hold the same megabytes again.
  const response = await fetch_or_silence(address, { headers, cache: "no-store" });
  await check_status(address, response);
  if (response.status === 206 && !begins_at(response, start)) {
    throw new Error("the server sent another range than the one asked for");
  }
  return { response, from: response.status === 206 ? start : 0, validator: strong_validator(response) };
}

/**
 * Hands on what an answer holds beyond what was handed on before, and keeps it.
 *
 * @param {Answer} answer
 * @param {string} address
 * @param {number} expected_bytes
 * @param {Download} download
 * @returns {AsyncGenerator<Piece, void, void>}
 */
async function* receive({ response, from }, address, expected_bytes, download) {
  let at = from;
  const reader = body_of(response).getReader();
  try {
    for (;;) {
      const { done, value } = await unless_silent(reader.read());
      if (done) break;
      const bytes = value.subarray(Math.min(value.length, Math.max(0, download.received - at)));
      at += value.length;
      if (at > expected_bytes) {
        await forget_shard(address);
        throw too_long(address, expected_bytes);
      }
      if (bytes.length === 0) continue;
      download.received += bytes.length;
      await download.keeper.take(bytes);
      yield { bytes, source: "network" };
      // A shard that is whole is not asked for again.
      if (end_pause && download.received < expected_bytes) throw PAUSED;
    }
  } finally {
    // Also where nobody asks for the rest.
    await reader.cancel().catch(() => {});
  }
  if (download.received < expected_bytes) throw new Error("the connection ended early");
}

/**
 * Hands on the pieces that are kept, up to the byte `end`.
 *
 * @param {Cache | null} store
 * @param {string} address
 * @param {number} end
 * @param {Download} download
 * @returns {AsyncGenerator<Piece, void, void>}
 */
async function* kept_pieces(store, address, end, download) {
  while (download.received < end) {
    const response = await store?.match(piece_address(address, download.received));
    const bytes = new Uint8Array((await response?.arrayBuffer()) ?? new ArrayBuffer(0));
    if (bytes.length !== Math.min(PIECE_BYTES, end - download.received)) {
      // The browser has made room in the meantime.
      await forget_shard(address);
      throw fail("shard_truncated", address, `${file_of(address)} has left the browser’s cache while it was being read`, "Try again.");
    }
    download.received += bytes.length;
    yield { bytes, source: "cache" };
  }
}

/**
 * @param {string} address
 * @param {Response} response
 */
async function check_status(address, response) {
  if (response.status === 200 || response.status === 206) return;
  if (response.status === 416) {
    // What is kept is longer than what the server has: the next attempt begins again.
    await forget_shard(address);
    throw fail("shard_truncated", address, `${file_of(address)} is shorter on the server than the manifest says`,
      "Reload the page; if it stays, the bundle on this site is damaged.");
  }
  if (response.status === 404 || response.status === 410) {
    throw fail("shard_missing", address, `${file_of(address)} is not on the server (${response.status})`,
      "Reload the page; if it stays, the bundle on this site is incomplete.");
  }
  if (!is_passing(response.status)) {
    throw fail("shard_refused", address, `the server refused ${file_of(address)} (${response.status})`,
      "Check that this site allows its models folder to be read.");
  }
  throw new Error(`the server answered ${response.status}`);
}

/**
 * @param {string} address
 * @param {number} expected
 * @param {number} received
 * @param {unknown} problem
 */
function broken_off(address, expected, received, problem) {
  const why = problem instanceof Error ? problem.message : String(problem);
  if (received > 0) {
    return fail("shard_truncated", address, `${file_of(address)} ended after ${received} of ${expected} bytes: ${why}`,
      "Check the connection and try again; what has arrived is kept.");
  }
  return fail("network", address, `${file_of(address)} could not be fetched: ${why}`, "Check the connection and try again.");
}

/** @param {string} address */
function replaced(address) {
  return fail("shard_replaced", address, `${file_of(address)} was replaced on the server while it was being downloaded`, "Try again.");
}

/**
 * @param {string} address
 * @param {number} expected
 */
function too_long(address, expected) {
  return fail("shard_too_long", address, `${file_of(address)} is longer than the ${expected} bytes the manifest says`,
    "Reload the page; if it stays, the bundle on this site is damaged.");
}

/**
 * @param {string} code
 * @param {string} address
 * @param {string} message
 * @param {string} remedy
 * @returns {ShardError}
 */
function fail(code, address, message, remedy) {
  return { code, message, remedy, file: file_of(address) };
}

/** @param {unknown} problem */
function is_final(problem) {
  return typeof problem === "object" && problem !== null && "code" in problem && "remedy" in problem;
}

/** @param {Response} response */
function body_of(response) {
  if (!response.body) throw new Error("the answer has no body");
  return response.body;
}

/** Whether an answer holds the range that was asked for; other sites need not show where theirs begins. @param {Response} response @param {number} start */
function begins_at(response, start) {
  const range = response.headers.get("Content-Range");
  if (range === null) return response.type === "cors";
  return Number(/^bytes (\d+)-/.exec(range)?.[1]) === start;
}

/** @param {string} address */
function is_of_this_site(address) {
  const here = globalThis.location?.origin;
  return here === undefined || new URL(address).origin === here;
}

/** Whether a server can be asked by it. @param {string | null} validator */
function is_strong(validator) {
  return validator?.startsWith('"') ?? false;
}

/** A weak validator cannot vouch for bytes, and servers ignore it in If-Range. @param {Response} response */
function strong_validator(response) {
  const tag = response.headers.get("ETag");
  return is_strong(tag) ? tag : null;
}

/** @param {string} address */
function file_of(address) {
  return address.split(/[?#]/)[0].split("/").pop() || address;
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
