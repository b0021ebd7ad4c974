// What this browser keeps of shards: pieces in Cache Storage. Reading, keeping, counting and forgetting them.
//
// Nothing here trusts a byte: the engine checks every shard's hash.

/** Bump when what is stored changes its form; caches of other names that begin alike are removed. */
const CACHE_NAME = "showo-shards-2";
const CACHE_FAMILY = "showo-shards-";

/** A shard is kept in pieces of this size, so that a closed tab loses at most one of them. */
export const PIECE_BYTES = 2 * 1024 * 1024;

/** Whether new pieces are kept: not where all of a bundle would not fit. */
let keeping = true;

/** @param {boolean} keep whether what is fetched from now on is kept */
export function keep_shards(keep) {
  keeping = keep;
}

/** @returns {Promise<Cache | null>} null where the browser has none to give: plain http, private windows, some frames */
export async function open_store() {
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
 * Drops whatever is kept of a shard, so that the next fetch starts afresh. For a shard whose hash was wrong.
 *
 * @param {string} url
 * @returns {Promise<void>}
 */
export async function forget_shard(url) {
  await forget(piece_address(absolute(url), ""));
}

/**
 * Drops whatever is kept of a bundle's shards.
 *
 * @param {string} base its address, with a slash at the end
 * @returns {Promise<void>}
 */
export async function forget_bundle(base) {
  await forget(absolute(base));
}

/** @param {string} start of the addresses */
async function forget(start) {
  const store = await open_store();
  if (!store) return;
  for (const request of await store.keys()) {
    if (request.url.startsWith(start)) await store.delete(request);
  }
}

/**
 * How many bytes of a bundle's shards are kept; read from the pieces' names alone, so that it takes a moment for any bundle.
 *
 * @param {string} base its address, with a slash at the end
 * @param {{ file: string, bytes: number }[]} shards
 * @returns {Promise<number>}
 */
export async function kept_bytes(base, shards) {
  const store = await open_store();
  if (!store) return 0;
  const lengths = new Map(shards.map(({ file, bytes }) => [absolute(`${base}${file}`), bytes]));
  let kept = 0;
  for (const { url } of await store.keys()) {
    const [address, start] = url.split("?showo-piece=");
    const length = lengths.get(address);
    if (length !== undefined && start !== undefined) kept += Math.max(0, Math.min(PIECE_BYTES, length - Number(start)));
  }
  return kept;
}

/** Whether anything of a bundle is kept. @param {string} base its address, with a slash at the end @returns {Promise<boolean>} */
export async function kept_under(base) {
  const start = absolute(base);
  return ((await (await open_store())?.keys()) ?? []).some(({ url }) => url.startsWith(start));
}

/**
 * How much of a shard is kept from the beginning without a gap, and of which version. Nothing is read yet.
 *
 * @param {Cache | null} store
 * @param {string} address
 * @param {number} expected_bytes
 * @returns {Promise<{ bytes: number, validator: string | null }>}
 */
export async function kept_of(store, address, expected_bytes) {
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

/** Puts a download together to pieces and keeps them, one at a time. */
export class Keeper {
  /**
   * @param {Cache | null} store
   * @param {string} address
   * @param {number} expected_bytes
   */
  constructor(store, address, expected_bytes) {
    this.store = keeping ? store : null;
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

/**
 * @param {string} address
 * @param {number | string} start
 */
export function piece_address(address, start) {
  return `${address}?showo-piece=${start}`;
}

/** @param {string} url */
export function absolute(url) {
  return new URL(url, globalThis.location?.href).href;
}
