// Fetches a bundle's shards once and keeps them: the next visit reads them from Cache Storage.
//
// The engine imports these functions through wasm-bindgen. This file imports nothing, because wasm-bindgen
// copies it alone into the folder of its snippets. Nothing here trusts a byte: the engine checks every shard's hash,
// and calls `forget_shard` for one that fails.
//
// A shard may be larger than the memory there is: it is fetched, handed on and kept in pieces, never held whole.

/** Bump when what is stored changes its form; caches of other names that begin alike are removed. */
const CACHE_NAME = "showo-shards-2";
const CACHE_FAMILY = "showo-shards-";

/** A shard is kept in pieces of this size, so that a closed tab loses at most one of them. */
const PIECE_BYTES = 2 * 1024 * 1024;

/** How often in a row a download may break off without having advanced before it is given up. */
const ATTEMPTS = 4;

/** After an attempt that advanced, in milliseconds; doubled after each that did not. */
const FIRST_PAUSE_MS = 250;

/** A server that says nothing for so long, in milliseconds, is asked again. */
const SILENCE_MS = 30_000;

/**
 * @typedef {{ bytes: Uint8Array<ArrayBuffer>, source: "network" | "cache" }} Piece
 * @typedef {{ code: string, message: string, remedy: string, file: string }} ShardError
 */

/**
 * One shard from its beginning to its end, from the cache as far as it is kept there, otherwise from the network. A half
 * download is continued with a Range request; of a server without ranges, what is there already is passed over.
 *
 * @param {string} url
 * @param {number} expected_bytes what the manifest says
 * @returns {AsyncGenerator<Piece, void, void>} pieces of any size up to a few megabytes
 * @throws {ShardError} `shard_missing`, `shard_refused`, `shard_truncated`, `shard_too_long`, `shard_replaced`, `network`
 */
export async function* shard_pieces(url, expected_bytes) {
  const address = absolute(url);
  const store = await open_store();
  const kept = await kept_of(store, address, expected_bytes);
  /** @type {Download} */
  const download = { received: 0, validator: null, keeper: new Keeper(store, address, expected_bytes) };
  if (kept.bytes === expected_bytes) return yield* kept_pieces(store, address, kept.bytes, download);

  for (let stalled = 0; ;) {
    const before = download.received;
    try {
      // What is kept counts only once the server has said that the rest still belongs to it.
      const start = download.received || (is_strong(kept.validator) ? kept.bytes : 0);
      const validator = download.received ? download.validator : kept.validator;
      const answer = await ask(address, start, validator);
      const same = answer.from > 0 || (answer.validator !== null && answer.validator === validator);
      if (download.received === 0) {
        if (same && start > 0) {
          download.keeper.begin(start, kept.validator);
          yield* kept_pieces(store, address, start, download);
        } else {
          download.keeper.begin(0, answer.validator);
        }
      } else if (!same && validator !== null) {
        throw fail("shard_replaced", address, `${file_of(address)} was replaced on the server while it was being downloaded`, "Try again.");
      }
      download.validator = answer.validator ?? validator;
      yield* receive(answer, address, expected_bytes, download);
      return;
    } catch (problem) {
      if (is_final(problem)) throw problem;
      // A connection that breaks again and again, but further on each time, brings the shard to its end.
      stalled = download.received > before ? 1 : stalled + 1;
      if (stalled === ATTEMPTS) throw broken_off(address, expected_bytes, download.received, problem);
      await pause(FIRST_PAUSE_MS * 2 ** (stalled - 1));
    }
  }
}

/**
 * Drops whatever is kept of a shard, so that the next fetch starts afresh. For a shard whose hash was wrong.
 *
 * @param {string} url
 * @returns {Promise<void>}
 */
export async function forget_shard(url) {
  const store = await open_store();
  if (!store) return;
  const start = piece_address(absolute(url), "");
  for (const request of await store.keys()) {
    if (request.url.startsWith(start)) await store.delete(request);
  }
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
    // Without it, a shard replaced on the server between the halves would be glued to the old one.
    if (validator) headers.set("If-Range", validator);
  }
  // This cache is the one that counts: the browser's own would only hold the same megabytes again.
  const response = await fetch_or_silence(address, { headers, cache: "no-store" });
  await check_status(address, response);
  if (response.status === 206 && start_of_range(response) !== start) {
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
    }
  } finally {
    // Also where nobody asks for the rest.
    await reader.cancel().catch(() => {});
  }
  if (download.received < expected_bytes) throw new Error("the connection ended early");
}

/**
 * How much is kept from the beginning without a gap, and of which version. Nothing is read yet.
 *
 * @param {Cache | null} store
 * @param {string} address
 * @param {number} expected_bytes
 * @returns {Promise<{ bytes: number, validator: string | null }>}
 */
async function kept_of(store, address, expected_bytes) {
  /** @type {{ bytes: number, validator: string | null }} */
  const kept = { bytes: 0, validator: null };
  while (store && kept.bytes < expected_bytes) {
    const response = await store.match(piece_address(address, kept.bytes));
    const length = Math.min(PIECE_BYTES, expected_bytes - kept.bytes);
    const validator = response?.headers.get("ETag") ?? null;
    // Pieces of two versions never join, and a last piece of another length is of an older bundle.
    if (!response || Number(response.headers.get("Content-Length")) !== length) break;
    if (!validator || (kept.bytes > 0 && validator !== kept.validator)) break;
    kept.bytes += length;
    kept.validator = validator;
  }
  return kept;
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

/** Puts a download together to pieces and keeps them, one at a time. */
class Keeper {
  /**
   * @param {Cache | null} store
   * @param {string} address
   * @param {number} expected_bytes
   */
  constructor(store, address, expected_bytes) {
    this.store = store;
    this.address = address;
    this.expected_bytes = expected_bytes;
    /** First byte of the piece in the making. */
    this.start = 0;
    this.filled = 0;
    this.piece = new Uint8Array(0);
    /** @type {string} */
    this.validator = "";
  }

  /**
   * @param {number} start
   * @param {string | null} validator
   */
  begin(start, validator) {
    this.start = start;
    this.filled = 0;
    // Without one from the server, pieces of one download still belong together; they are used only if all are there.
    this.validator = validator ?? `download ${Math.random()}`;
  }

  /** @param {Uint8Array} bytes */
  async take(bytes) {
    while (this.store && bytes.length > 0) {
      const length = Math.min(PIECE_BYTES, this.expected_bytes - this.start);
      if (this.filled === 0) this.piece = new Uint8Array(length);
      const here = bytes.subarray(0, length - this.filled);
      this.piece.set(here, this.filled);
      this.filled += here.length;
      bytes = bytes.subarray(here.length);
      if (this.filled < length) return;
      await this.put();
      this.start += length;
      this.filled = 0;
    }
  }

  async put() {
    const headers = new Headers({
      "Content-Type": "application/octet-stream", "Content-Length": String(this.piece.length), ETag: this.validator,
    });
    try {
      await this.store?.put(piece_address(this.address, this.start), new Response(this.piece, { headers }));
    } catch {
      // A full disk or a private window: the drawing works all the same, the next visit downloads again.
      this.store = null;
    }
  }
}

/** @returns {Promise<Cache | null>} null where the browser has none to give: plain http, private windows, some frames */
async function open_store() {
  try {
    const store = await globalThis.caches.open(CACHE_NAME);
    for (const name of await globalThis.caches.keys()) {
      if (name.startsWith(CACHE_FAMILY) && name !== CACHE_NAME) await globalThis.caches.delete(name);
    }
    return store;
  } catch {
    return null;
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

/** @param {Response} response */
function start_of_range(response) {
  const match = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "");
  return match ? Number(match[1]) : -1;
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

/**
 * @param {string} address
 * @param {number | string} start
 */
function piece_address(address, start) {
  return `${address}?showo-piece=${start}`;
}

/** @param {string} url */
function absolute(url) {
  return new URL(url, globalThis.location?.href).href;
}

/** @param {string} address */
function file_of(address) {
  return address.split(/[?#]/)[0].split("/").pop() || address;
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
