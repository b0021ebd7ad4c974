// Where everything is, as `cargo xtask test --only e2e` tells (xtask/src/browser.rs).

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** @param {string} name */
function told(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the end-to-end tests with \`cargo xtask test --only e2e\``);
  return value;
}

/** The browser's executable. */
export const CHROMIUM = told("CHROMIUM");
/** Firefox's executable; empty where there is none. */
export const FIREFOX = process.env.FIREFOX ?? "";
/** The built page. */
export const DIST = told("SHOWO_DIST");
/** This repository's xtask, which serves folders. */
export const XTASK = told("SHOWO_XTASK");
/** The native `showo` command. */
export const NATIVE = told("SHOWO_NATIVE");
/** The bundle that the page draws with. */
export const BUNDLE = join(DIST, "models/scenes");

// The packages lie outside the checkout, where an `import` by name does not look.
const require = createRequire(join(told("SHOWO_NODE_MODULES"), "here.js"));

/** @type {typeof import("playwright-core")} */
export const playwright = require("playwright-core");

/** @type {typeof import("puppeteer-core").default} */
export const puppeteer = require("puppeteer-core");

/** The source of axe-core, to be run inside a page. */
export const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
