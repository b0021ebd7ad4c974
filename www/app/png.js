// Whether bytes are a whole PNG file of the size that they should have. Pure; what its pixels are, only a decoder knows.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** @type {Uint32Array | undefined} of CRC-32, made when it is first needed */
let table;

/**
 * @param {Uint8Array} bytes
 * @param {number} width
 * @param {number} height
 * @returns {string | null} what is wrong: the end of a sentence that begins with the picture's name
 */
export function pngFault(bytes, width, height) {
  if (SIGNATURE.some((byte, at) => bytes[at] !== byte)) return "is no PNG";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let pixels = false;
  for (let at = SIGNATURE.length; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (end + 4 > bytes.length) break;
    if (view.getUint32(end) !== crc32(bytes.subarray(at + 4, end))) return "is damaged";
    if (at === SIGNATURE.length) {
      if (type !== "IHDR" || length !== 13) return "is damaged";
      const [wide, high] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      if (wide !== width || high !== height) return `has ${wide}×${high} pixels, not ${width}×${height} as the trace says`;
    }
    if (type === "IDAT") pixels = true;
    if (type === "IEND") return pixels ? null : "holds no pixels";
    at = end + 4;
  }
  return "ends too early";
}

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
