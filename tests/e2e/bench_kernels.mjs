// `cargo xtask bench kernels`: the page's self test, which also times the kernels, as a table.

import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";
import { ShowoPage } from "./showo_page.mjs";

const kind = process.argv[2] === "cpu" ? "cpu" : "webgpu";
const site = await serve();
const browser = await launch(kind);
try {
  const page = await ShowoPage.open(browser, site.address);
  await page.loaded();
  console.log((await page.state("device")).words);
  console.table(await page.selfTest());
} finally {
  await browser.close();
  site.close();
}
