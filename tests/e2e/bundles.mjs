// Bundles for the tests of other people's models: two layers with random weights, and a server of their folder that can stall.

import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { NATIVE } from "./places.mjs";

/** What the bundle recommends, unlike any default of the page. */
export const DECODING = { steps: 3, guidance_scale: 1.5, temperature: 2, candidates: 2, verifier: "parm" };

/**
 * A folder with `checkpoint/`, as a hub has it, and the bundles that were made from it: `two-layers/`, and `bare/`, which recommends nothing and
 * brings nobody to judge.
 *
 * @returns {{ folder: string, checkpoint: string, bundle: string, bare: string, remove: () => void }}
 */
export function twoLayers() {
  const folder = mkdtempSync(join(tmpdir(), "showo-bundles-"));
  const quantize = (/** @type {string[]} */ ...words) => execFileSync(join(dirname(NATIVE), "quantize"), words, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  quantize("synth", "--config", "tiny", "--layers", "2", "--seed", "5", "--with", "preview", "--with", "clip", "--with", "parm", "--out", "checkpoint");
  quantize("convert", "--input", "showo=checkpoint/showo", "--input", "magvit=checkpoint/magvit", "--tokenizer", "checkpoint", "--name", "bare", "--licence", "MIT", "--out", "bare");
  const inputs = ["showo=checkpoint/showo", "magvit=checkpoint/magvit", "preview=checkpoint/preview", "clip=checkpoint/clip", "reward:parm=checkpoint/parm"];
  const decoding = Object.entries(DECODING).map(([name, value]) => `${name}=${value}`).join(",");
  quantize("convert", ...inputs.flatMap((input) => ["--input", input]), "--tokenizer", "checkpoint", "--name", "two layers", "--licence", "MIT", "--decoding", decoding, "--out", "two-layers");
  return { folder, checkpoint: join(folder, "checkpoint/showo"), bundle: join(folder, "two-layers"), bare: join(folder, "bare"), remove: () => rmSync(folder, { recursive: true }) };
}

/**
 * Serves a folder to whoever may read it, with ranges and validators, and writes down what was asked.
 *
 * @param {string} folder
 */
export async function serveFolder(folder) {
  const site = {
    address: "",
    /** Whether other sites may read. */
    cors: true,
    /** @type {{ file: string, after: number } | null} of this file so many bytes are sent, and then nothing more */
    stall: null,
    /** Milliseconds before every answer. */
    slow: 0,
    /** @type {{ file: string, from: number, sent: number }[]} shards that were asked for, from which byte on, and how much of them was sent */
    shards: [],
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  const server = createServer(async (request, response) => {
    const file = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname.slice(1));
    const headers = site.cors ? { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Content-Range" } : {};
    await new Promise((resolve) => setTimeout(resolve, site.slow));
    let bytes;
    try {
      if (!statSync(join(folder, file)).isFile()) throw new Error("a folder");
      bytes = readFileSync(join(folder, file));
    } catch {
      return void response.writeHead(404, headers).end("there is no such file\n");
    }
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const length = bytes.length - from;
    const sends = site.stall?.file === file ? Math.max(0, site.stall.after - from) : length;
    if (file.endsWith(".safetensors")) site.shards.push({ file, from, sent: sends });
    response.writeHead(from ? 206 : 200, {
      ...headers, ETag: `"${bytes.length}"`, "Content-Length": length, "Cache-Control": "no-cache",
      ...(from ? { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    const part = bytes.subarray(from, from + sends);
    if (sends < length) response.write(part);
    else response.end(part);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  site.address = `http://127.0.0.1:${port}/`;
  return site;
}
