// Where a model comes from: a folder that this page ships, an address, or a folder that the visitor opened. Pure.

import { DEFAULT_MODEL } from "./addresses.js";
import { folder_address } from "../folder_files.js";

/** @import { Asked } from "./addresses.js" */
/** @import { FolderFiles } from "../folder_files.js" */

/** Over so many bytes nothing is loaded before somebody has said so. */
export const ASK_OVER_BYTES = 100e6;

/**
 * @typedef {object} Source
 * @property {"shipped" | "address" | "folder"} kind
 * @property {string} id names it among all others: what is remembered of a device is remembered for it
 * @property {string} name for people, until the bundle has said its own
 * @property {string} bundle the address that the engine reads from, with a slash at the end
 * @property {FolderFiles} [files] of a folder
 */

/** A bundle under models/. @param {string} folder @returns {Source} */
export function shipped(folder) {
  return { kind: "shipped", id: folder, name: folder, bundle: `models/${folder}/` };
}

/** A bundle at an address. @param {string} address absolute, with a slash at the end @returns {Source} */
export function atAddress(address) {
  const { hostname, pathname } = new URL(address);
  return { kind: "address", id: address, name: lastOf(pathname) || hostname, bundle: address };
}

/** @param {string} name @param {FolderFiles} files @returns {Source} */
export function inFolder(name, files) {
  return { kind: "folder", id: folder_address(name), name, bundle: folder_address(name), files };
}

/** @param {string} path */
function lastOf(path) {
  const last = path.split("/").findLast(Boolean) ?? "";
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** What the page's own address asks for. @param {Asked} asked @returns {Source} */
export function sourceAsked({ model, address }) {
  return address ? atAddress(address) : shipped(model);
}

/** Whether another site would be asked for it. @param {Source} source @param {string} here the page's address */
export function isElsewhere({ kind, bundle }, here) {
  return kind === "address" && new URL(bundle).origin !== new URL(here).origin;
}

/**
 * How many bytes may be loaded without asking: nothing of another site is, whatever its size, because an address can be anybody's.
 *
 * @param {Source} source
 * @param {string} here the page's address
 */
export function mostUnasked(source, here) {
  return isElsewhere(source, here) ? 0 : ASK_OVER_BYTES;
}

/**
 * The page's address with this model. A folder has none: what was opened from disk is opened again from the menu.
 *
 * @param {Source} source
 * @param {string} here the page's address
 */
export function addressWith(source, here) {
  const address = new URL(here);
  address.searchParams.delete("model");
  address.searchParams.delete("bundle");
  if (source.kind === "shipped" && source.id !== DEFAULT_MODEL) address.searchParams.set("model", source.id);
  if (source.kind === "address") address.searchParams.set("bundle", short(source.bundle, address));
  // The settings were another model's.
  address.hash = "";
  return address.href;
}

/** Of the same site, its path is enough. @param {string} bundle @param {URL} here */
function short(bundle, here) {
  const address = new URL(bundle);
  return address.origin === here.origin ? address.pathname : address.href;
}
