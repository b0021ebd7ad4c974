// Bundles that a visitor opened from disk: their files, read a piece at a time, under addresses of their own.
//
// A folder is told to the worker as files, which are only names for what lies on the disk until they are read.

/** What these addresses begin with; no server has them. */
const SCHEME = "folder:";

/** A file is read in pieces of this size. */
const PIECE_BYTES = 2 * 1024 * 1024;

/** @typedef {[name: string, file: Blob][]} FolderFiles */

/** @type {Map<string, Map<string, Blob>>} by their addresses */
const folders = new Map();

/** The address under which a folder can be read once `open_folder` has been told of it. @param {string} id @returns {string} */
export function folder_address(id) {
  return `${SCHEME}${encodeURIComponent(id)}/`;
}

/** @param {string} address from `folder_address` @param {FolderFiles} files */
export function open_folder(address, files) {
  folders.set(address, new Map(files));
}

/** @param {string} address */
export function is_in_folder(address) {
  return address.startsWith(SCHEME);
}

/** The answer that a server with this file would give. @param {string} address @returns {Response} */
export function folder_answer(address) {
  const file = file_at(address);
  return file ? new Response(file) : new Response(null, { status: 404 });
}

/**
 * A file from its beginning to its end.
 *
 * @param {string} address
 * @returns {AsyncGenerator<{ bytes: Uint8Array<ArrayBuffer>, source: "disk" }, void, void>}
 * @throws {{ code: string, message: string, remedy: string, file: string }} `shard_missing`, `folder_changed`
 */
export async function* folder_pieces(address) {
  const name = name_in(address);
  const file = file_at(address);
  if (!file) throw { code: "shard_missing", message: `${name} is not in the folder`, remedy: "Copy or convert the bundle again, and open its folder.", file: name };
  for (let start = 0; start < file.size; start += PIECE_BYTES) {
    let bytes;
    try {
      bytes = new Uint8Array(await file.slice(start, start + PIECE_BYTES).arrayBuffer());
    } catch {
      // Browsers refuse a file that is not the one that was chosen any more.
      throw { code: "folder_changed", message: `${name} has been changed or removed on the disk since the folder was opened`, remedy: "Open the folder again.", file: name };
    }
    yield { bytes, source: "disk" };
  }
}

/** @param {string} address */
function file_at(address) {
  return folders.get(address.slice(0, address.lastIndexOf("/") + 1))?.get(name_in(address));
}

/** @param {string} address */
function name_in(address) {
  return address.slice(address.lastIndexOf("/") + 1);
}
