// The server that visitors get (`xtask serve`), and a proxy before it that damages what it is told to.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

import { DIST, XTASK } from "./places.mjs";

/**
 * Serves a folder as `cargo xtask demo` does.
 *
 * @param {string} [folder]
 * @param {string} [bundle] another folder, to be served as /bundle/
 * @returns {Promise<{ address: string, close: () => void }>}
 */
export async function serve(folder = DIST, bundle = undefined) {
  const beside = bundle === undefined ? [] : ["--bundle", bundle];
  const child = spawn(XTASK, ["serve", folder, "--port", "0", ...beside], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(child.stdout)) return { address: line.trim(), close: () => void child.kill() };
  throw new Error(`xtask serve ${folder} ended without an address`);
}

/**
 * What is to go wrong: files whose path matches are changed by `change`, or are missing where it answers `null`.
 * With `once`, only the first file that matches is the victim, however often it is asked for. While it `hangs`, nobody answers.
 *
 * @typedef {{ match: RegExp, change: (bytes: Buffer) => Buffer | null, once?: boolean, hangs?: boolean, victim?: string }} Fault
 */

/** One flipped bit in the middle. @param {Buffer} bytes */
export function flipped(bytes) {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] ^= 1;
  return copy;
}

/** The first half. @param {Buffer} bytes */
export const truncated = (bytes) => bytes.subarray(0, bytes.length >> 1);

/** Not there. */
export const missing = () => null;

/**
 * Serves what `origin` serves, with faults.
 *
 * @param {string} origin
 * @param {Fault[]} faults their `victim` is filled in
 * @returns {Promise<{ address: string, close: () => void }>}
 */
export async function serveDamaged(origin, faults) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", origin).pathname;
    const fault = faults.find((fault) => fault.match.test(path) && (!fault.once || !fault.victim || fault.victim === path));
    if (fault) fault.victim ??= path;
    if (fault?.hangs) return;
    // The whole file is fetched, so that a range of a damaged file is the damaged file's range.
    const answer = await fetch(new URL(path, origin));
    const whole = Buffer.from(await answer.arrayBuffer());
    const bytes = fault && answer.ok ? fault.change(whole) : whole;
    if (bytes === null) return void response.writeHead(404, { "Content-Type": "text/plain" }).end("there is no such file\n");
    const headers = { "Content-Type": answer.headers.get("content-type") ?? "", "Accept-Ranges": "bytes", "Cache-Control": "no-cache" };
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    if (first === undefined || !answer.ok) return void response.writeHead(answer.status, { ...headers, "Content-Length": bytes.length }).end(bytes);
    if (Number(first) >= bytes.length) return void response.writeHead(416, { "Content-Range": `bytes */${bytes.length}` }).end();
    const end = Math.min(last ? Number(last) : Infinity, bytes.length - 1);
    const part = bytes.subarray(Number(first), end + 1);
    response.writeHead(206, { ...headers, "Content-Length": part.length, "Content-Range": `bytes ${first}-${end}/${bytes.length}` }).end(part);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { address: `http://127.0.0.1:${port}/`, close: () => { server.close(); server.closeAllConnections(); } };
}

/**
 * What may be between a visitor and the page: nothing, a server that accepts and never answers, one that answers late,
 * a portal that answers everything with a page of its own or leads to one, an error for everything.
 *
 * @typedef {"well" | "silent" | "slow" | "portal" | "redirect" | "errors"} Mood
 */

/**
 * Serves what `origin` serves, in whatever mood it is told. `edits` are other contents of files: the page's next version,
 * with a list that is right for it.
 *
 * @param {string} origin
 * @param {Record<string, string>} [headers] more of them
 */
export async function serveMoodily(origin, headers = {}) {
  const site = {
    address: "",
    /** @type {Mood} */
    mood: "well",
    /** @type {Map<string, (text: string) => string>} by path, without the first slash */
    edits: new Map(),
    /** @type {string[]} the paths that were asked for */
    asked: [],
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  /** @param {string} path */
  const content = async (path) => {
    const answer = await fetch(new URL(path, origin));
    const bytes = Buffer.from(await answer.arrayBuffer());
    const edit = site.edits.get(path);
    const type = answer.headers.get("content-type") ?? "";
    if (edit) return { status: 200, type, bytes: Buffer.from(edit(bytes.toString())) };
    if (path === "offline.json") {
      const list = JSON.parse(bytes.toString());
      for (const path of site.edits.keys()) list.files[path] = createHash("sha256").update((await content(path)).bytes).digest("hex");
      return { status: 200, type, bytes: Buffer.from(JSON.stringify(list)) };
    }
    return { status: answer.status, type, bytes };
  };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", origin).pathname.slice(1) || "index.html";
    site.asked.push(path);
    switch (site.mood) {
      case "silent":
        return;
      case "portal":
        return void response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>Sign in</title>Buy some network");
      case "redirect":
        return void response.writeHead(302, { Location: "/sign-in" }).end();
      case "errors":
        return void response.writeHead(500, { "Content-Type": "text/plain" }).end("oops");
      case "slow":
        await new Promise((resolve) => setTimeout(resolve, 6_000));
    }
    const { status, type, bytes } = await content(path);
    response.writeHead(status, { "Content-Type": type, "Content-Length": bytes.length, "Cache-Control": "no-cache", ...headers }).end(bytes);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  site.address = `http://127.0.0.1:${port}/`;
  return site;
}
