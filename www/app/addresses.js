// Addresses in and out: what the page's own address asks for, and the addresses that the page hands on. Pure.
//
// What stands after `#` is the settings: settings.js.

/** @import { Problem } from "./contract.js" */

/** The bundle that this page draws with unless its address says otherwise: a folder under models/. */
export const DEFAULT_MODEL = "scenes";

/**
 * What an address asks for.
 *
 * @typedef {object} Asked
 * @property {boolean} embedded `?embed`: the small layout for frames
 * @property {"auto" | "cpu" | "webgpu"} device `?device=cpu` leaves the graphics device alone, `?device=webgpu` draws on it even if it is slower
 * @property {string} model `?model=icons` draws with another bundle
 * @property {string | null} address `?bundle=…` draws with the bundle that lies there, on this site or another
 */

/** @param {string} here the page's address @returns {Asked} */
export function askedBy(here) {
  const query = new URL(here).searchParams;
  const bundle = query.get("bundle");
  const read = bundle ? bundleAddress(bundle, here) : null;
  return {
    embedded: query.has("embed"),
    device: deviceOf(query),
    model: modelOf(query),
    address: read && "address" in read ? read.address : null,
  };
}

/**
 * The address of a bundle as somebody wrote it: the folder's, or its manifest's, absolute or as seen from the page.
 *
 * @param {string} text
 * @param {string} here the page's address
 * @returns {{ address: string } | { problem: Problem }}
 */
export function bundleAddress(text, here) {
  /** @param {string} message @param {string} remedy @returns {{ problem: Problem }} */
  const refused = (message, remedy) => ({ problem: { code: "bad_address", message, remedy } });
  const written = text.trim();
  if (!written) return refused("The address is empty.", "Give the address of a bundle’s folder, in which manifest.json lies.");
  const page = new URL(here);
  const address = URL.canParse(written, page) ? new URL(written, page) : null;
  if (!address || !/^https?:$/.test(address.protocol)) {
    return refused(`“${short(written)}” is no address of a bundle.`, "Give the http or https address of the folder in which manifest.json lies.");
  }
  if (address.search) {
    return refused(`The address “${short(written)}” has a “?” in it.`, "A bundle is a folder of files: give the folder’s own address.");
  }
  if (page.protocol === "https:" && address.protocol === "http:" && !/^(localhost|127\.0\.0\.1|\[::1\])$/.test(address.hostname)) {
    return refused(`A page that came by https may not read from “${short(written)}”, which is http.`, "Serve the bundle by https.");
  }
  address.hash = "";
  address.username = "";
  address.password = "";
  address.pathname = address.pathname.replace(/\/manifest\.json$/, "/").replace(/([^/])$/, "$1/");
  return { address: address.href };
}

/** @param {URLSearchParams} query @returns {Asked["device"]} */
function deviceOf(query) {
  const asked = query.get("device");
  return asked === "cpu" || asked === "webgpu" ? asked : "auto";
}

/** What is no folder's plain name is no model. @param {URLSearchParams} query */
function modelOf(query) {
  const asked = query.get("model") ?? "";
  return isFolder(asked) ? asked : DEFAULT_MODEL;
}

/** @param {string} name */
function isFolder(name) {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name);
}

/**
 * What an address asks for and does not get, as a problem to show; null where it gets all. Names that this page does not
 * know are others' business.
 *
 * @param {string} here the page's address
 * @returns {Problem | null}
 */
export function refusedOf(here) {
  const query = new URL(here).searchParams;
  const bundle = query.get("bundle");
  const read = bundle ? bundleAddress(bundle, here) : null;
  if (read && "problem" in read) return read.problem;
  const model = query.get("model");
  const device = query.get("device");
  if (model && !isFolder(model)) {
    return {
      code: "bad_address", message: `The address asks for the model “${short(model)}”, which is no name of a folder under models/.`,
      remedy: `This page draws with “${DEFAULT_MODEL}” instead; a model’s name has letters, digits, dots and dashes.`,
    };
  }
  if (device && device !== "auto" && device !== deviceOf(query)) {
    return {
      code: "bad_address", message: `The address asks for the device “${short(device)}”, which this page does not know.`,
      remedy: "It draws on the faster one; “?device=cpu” and “?device=webgpu” choose.",
    };
  }
  return null;
}

/** @param {string} text */
function short(text) {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** The page with these settings: what links and embed codes are made of. @param {string} here the page's address @param {string} hash */
export function withSettings(here, hash) {
  return `${here.split("#")[0]}${hash}`;
}

/** The full page with the same settings, also where this one is embedded. @param {string} here the page's address */
export function fullPage(here) {
  const address = new URL(here);
  address.searchParams.delete("embed");
  return address.href;
}

/** The full page, drawing on this device. @param {string} here @param {"cpu" | "webgpu"} device */
export function onDevice(here, device) {
  const address = new URL(fullPage(here));
  address.searchParams.set("device", device);
  return address.href;
}

/** The markup that shows this drawing in another page. @param {string} here */
export function embedCode(here) {
  const address = new URL(fullPage(here));
  address.searchParams.set("embed", "");
  const source = address.href.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return `<iframe src="${source}" width="480" height="640" allow="clipboard-write" title="A picture, chosen step by step"></iframe>`;
}
