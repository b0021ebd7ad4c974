// Whether a bundle at an address can be read at all: asked by the page itself, which its content security policy holds back where a worker is free.

import { notConverted } from "./folders.js";
import { isElsewhere } from "./sources.js";

/** @import { Problem } from "./contract.js" */
/** @import { Source } from "./sources.js" */

/** How long after a refused request the browser may take to say that it was the page's policy, in milliseconds. */
const VIOLATION_MS = 300;

/**
 * @typedef {object} Network
 * @property {string} here the page's address
 * @property {(address: string, options?: RequestInit) => Promise<{ ok: boolean, status: number, json: () => Promise<any> }>} fetch
 * @property {(address: string, milliseconds: number) => Promise<boolean>} isForbidden whether the page's policy has forbidden a request of this address
 */

/** @returns {Network} */
export function network() {
  /** @type {string[]} */
  const forbidden = [];
  document.addEventListener("securitypolicyviolation", ({ blockedURI }) => forbidden.push(new URL(blockedURI, location.href).origin));
  return {
    here: location.href,
    fetch: (address, options) => fetch(address, options),
    async isForbidden(address, milliseconds) {
      for (let waited = 0; waited <= milliseconds; waited += 50) {
        if (forbidden.includes(new URL(address).origin)) return true;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return false;
    },
  };
}

/**
 * Why a bundle at an address cannot be read, where that is certain; what may pass is left to the engine, which tries again.
 *
 * @param {Source} source
 * @param {Network} network
 * @returns {Promise<Problem | null>}
 */
export async function addressFault(source, { here, fetch, isForbidden }) {
  const manifest = `${source.bundle}manifest.json`;
  let answer;
  try {
    answer = await fetch(manifest, { cache: "no-cache" });
  } catch {
    if (!isElsewhere(source, here)) return null;
    const site = new URL(source.bundle).origin;
    if (await isForbidden(manifest, VIOLATION_MS)) {
      return {
        code: "other_site", message: `This page asks no other site for anything, and ${site} is one: its content security policy forbids it`,
        remedy: `Download the bundle and open its folder; whoever serves the page can allow the site by adding “${site}” to connect-src in its index.html.`,
      };
    }
    // Without a look at the answer, every server may be asked: then it is only the header that is lacking.
    const there = await fetch(manifest, { mode: "no-cors", cache: "no-cache" }).then(() => true, () => false);
    if (!there) return { code: "unreachable", message: `${site} does not answer`, remedy: "Check the address and the connection." };
    return {
      code: "no_cors", message: `${site} does not let other sites read this bundle: it sends no CORS headers (Access-Control-Allow-Origin)`,
      remedy: "Ask whoever serves it to send them, or download the bundle and open its folder.",
    };
  }
  if (answer.status !== 404 && answer.status !== 410) return null;
  const configured = await fetch(`${source.bundle}config.json`, { cache: "no-cache" }).then((config) => config.ok && config.json(), () => null).catch(() => null);
  if (configured && typeof configured === "object") return notConverted(source.bundle, ["config.json"]);
  return {
    code: "no_manifest", message: `There is no manifest.json at ${source.bundle}, so no bundle lies there`,
    remedy: "Give the address of the folder that “quantize convert” has written.",
  };
}
