// Fetches a bundle's shards once and keeps them: the next visit reads them from Cache Storage.
//
// The engine imports these two functions through wasm-bindgen. This file imports nothing, because wasm-bindgen
// copies it alone into the folder of its snippets. Nothing here trusts a byte: the engine checks every shard's hash,
// and calls `forget_shard` for one that fails.

/** Bump when what is stored changes its form; an old cache is then simply never read. */
const CACHE_NAME = "showo-shards-1";

/** A download is kept in pieces of this size, so that a closed tab loses at most one of them. */
const PIECE_BYTES = 2 * 1024 * 1024;

/** How often a broken download is taken up again before giving up. */
const ATTEMPTS = 4;

/** Before the second attempt, in milliseconds; doubled each time. */
const FIRST_PAUSE_MS = 250;

/**
 * @typedef {{ bytes_done: number, bytes_total: number, source: "network" | "cache" }} ShardProgress
 * @typedef {{ code: string, message: string, remedy: string, file: string }} ShardError
 */

/**
 * The bytes of one shard, from the cache where they are complete, otherwise from the network. A half download is
 * continued with a Range request; a server without ranges sends the whole again.
 *
 * @param {string} url
 * @param {number} expected_bytes what the manifest says
 * @param {(progress: ShardProgress) => void} on_progress
 * @returns {Promise<{ bytes: Uint8Array, source: "network" | "cache" }>}
 * @throws {ShardError} `shard_missing`, `shard_refused`, `shard_truncated`, `shard_too_long`, `shard_too_large`, `network`
 */
export async function fetch_shard(url, expected_bytes, on_progress) {
  const address = absolute(url);
  const store = await open_store();

  const kept = await read_whole(store, address, expected_bytes);
  if (kept) {
    on_progress({ bytes_done: expected_bytes, bytes_total: expected_bytes, source: "cache" });
    return { bytes: kept, source: "cache" };
  }

  const bytes = allocate(address, expected_bytes);
  const download = await take_up(store, address, bytes);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await receive_rest(store, address, bytes, download, on_progress);
      break;
    } catch (problem) {
      if (is_final(problem)) throw problem;
      if (attempt === ATTEMPTS) throw broken_off(address, bytes.length, download.received, problem);
      await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }
  await keep_whole(store, address, bytes);
  return { bytes, source: "network" };
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
  const address = absolute(url);
  await store.delete(address);
  await drop_pieces(store, address);
}

/** @typedef {{ received: number, validator: string | null }} Download where a download stands */

/**
 * Asks for what is missing and writes it into `bytes`.
 *
 * @param {Cache | null} store
 * @param {string} address
 * @param {Uint8Array} bytes
 * @param {Download} download
 * @param {(progress: ShardProgress) => void} on_progress
 */
async function receive_rest(store, address, bytes, download, on_progress) {
  const report = () => on_progress({ bytes_done: download.received, bytes_total: bytes.length, source: "network" });
  report();
  if (download.received === bytes.length) return;

  const headers = new Headers();
  if (download.received > 0) {
    headers.set("Range", `bytes=${download.received}-`);
    // Without it, a shard replaced on the server between the halves would be glued to the old one.
    if (download.validator) headers.set("If-Range", download.validator);
  }
  // This cache is the one that counts: the browser's own would only hold the same megabytes again.
  const response = await fetch(address, { headers, cache: "no-store" });
  await check_status(store, address, response);
  if (response.status !== 206 || start_of_range(response) !== download.received) {
    if (response.status === 206) throw new Error("the server sent another range than the one asked for");
    download.received = 0;
  }
  download.validator = strong_validator(response);

  let piece_start = download.received;
  const reader = body_of(response).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (download.received + value.length > bytes.length) {
      await reader.cancel();
      await forget_shard(address);
      throw too_long(address, bytes.length);
    }
    bytes.set(value, download.received);
    download.received += value.length;
    report();
    while (download.received - piece_start >= PIECE_BYTES) {
      await keep_piece(store, address, bytes, piece_start, download.validator);
      piece_start += PIECE_BYTES;
    }
  }
  if (download.received < bytes.length) throw new Error("the connection ended early");
}

/**
 * Reads the pieces an earlier visit left behind.
 *
 * @param {Cache | null} store
 * @param {string} address
 * @param {Uint8Array} bytes
 * @returns {Promise<Download>}
 */
async function take_up(store, address, bytes) {
  /** @type {Download} */
  const download = { received: 0, validator: null };
  for (let start = 0; store && start + PIECE_BYTES <= bytes.length; start += PIECE_BYTES) {
    const response = await store.match(piece_address(address, start));
    if (!response) break;
    const piece = new Uint8Array(await response.arrayBuffer());
    const validator = response.headers.get("ETag");
    // Pieces of two versions never join: the ones after the seam are fetched again.
    if (piece.length !== PIECE_BYTES || !validator || (start > 0 && validator !== download.validator)) break;
    bytes.set(piece, start);
    download.received = start + PIECE_BYTES;
    download.validator = validator;
  }
  return download;
}

/**
 * @param {Cache | null} store
 * @param {string} address
 * @param {number} expected_bytes
 */
async function read_whole(store, address, expected_bytes) {
  const response = await store?.match(address);
  if (!store || !response) return null;
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length === expected_bytes) return bytes;
  // The manifest has moved on; what is kept belongs to an older bundle.
  await store.delete(address);
  return null;
}

/**
 * @param {Cache | null} store
 * @param {string} address
 * @param {Uint8Array} bytes
 */
async function keep_whole(store, address, bytes) {
  if (!store) return;
  await put(store, address, bytes, null);
  await drop_pieces(store, address);
}

/**
 * @param {Cache | null} store
 * @param {string} address
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {string | null} validator
 */
async function keep_piece(store, address, bytes, start, validator) {
  // Without a validator a later visit could not tell whether the rest still belongs to this piece.
  if (!store || !validator) return;
  await put(store, piece_address(address, start), bytes.slice(start, start + PIECE_BYTES), validator);
}

/**
 * @param {Cache} store
 * @param {string} address
 */
async function drop_pieces(store, address) {
  for (const request of await store.keys()) {
    if (request.url.startsWith(piece_address(address, ""))) await store.delete(request);
  }
}

/**
 * @param {Cache} store
 * @param {string} address
 * @param {Uint8Array} bytes
 * @param {string | null} validator
 */
async function put(store, address, bytes, validator) {
  const headers = new Headers({ "Content-Type": "application/octet-stream", "Content-Length": String(bytes.length) });
  if (validator) headers.set("ETag", validator);
  try {
    await store.put(address, new Response(/** @type {Uint8Array<ArrayBuffer>} */ (bytes), { headers }));
  } catch {
    // A full disk or a private window: the drawing works all the same, the next visit downloads again.
  }
}

/** @returns {Promise<Cache | null>} null where the browser has none to give: plain http, private windows, some frames */
async function open_store() {
  try {
    return await globalThis.caches.open(CACHE_NAME);
  } catch {
    return null;
  }
}

/**
 * @param {Cache | null} store
 * @param {string} address
 * @param {Response} response
 */
async function check_status(store, address, response) {
  if (response.status === 200 || response.status === 206) return;
  if (response.status === 416) {
    // What is kept is longer than what the server has: begin again.
    if (store) await drop_pieces(store, address);
    throw fail("shard_truncated", address, `${file_of(address)} is shorter on the server than the manifest says`,
      "Reload the page; if it stays, the bundle on this site is damaged.");
  }
  if (response.status === 404 || response.status === 410) {
    throw fail("shard_missing", address, `${file_of(address)} is not on the server (${response.status})`,
      "Reload the page; if it stays, the bundle on this site is incomplete.");
  }
  if (response.status < 500 && response.status !== 408 && response.status !== 429) {
    throw fail("shard_refused", address, `the server refused ${file_of(address)} (${response.status})`,
      "Check that this site allows its models folder to be read.");
  }
  throw new Error(`the server answered ${response.status}`);
}

/**
 * @param {string} address
 * @param {number} expected_bytes
 */
function allocate(address, expected_bytes) {
  try {
    return new Uint8Array(expected_bytes);
  } catch {
    throw fail("shard_too_large", address, `${file_of(address)} would need ${expected_bytes} bytes, more than this browser gives`,
      "Close other tabs, or use a smaller bundle.");
  }
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

/** A weak validator cannot vouch for bytes, and servers ignore it in If-Range. @param {Response} response */
function strong_validator(response) {
  const tag = response.headers.get("ETag");
  return tag && !tag.startsWith("W/") ? tag : null;
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
