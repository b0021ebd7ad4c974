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
  await page.page.locator("#self-test").click();
  await page.page.waitForFunction(() => {
    const { selfTest, problem } = /** @type {any} */ (window).showo.state;
    return selfTest || problem;
  }, null, { timeout: 300_000 });
  const rows = await page.state("selfTest");
  if (!rows) throw new Error(`the self test fails: ${await page.errorWords()}`);
  console.table(rows);
} finally {
  await browser.close();
  site.close();
}
