// What an address asks for, and the addresses that the page hands on.
import assert from "node:assert/strict";
import { test } from "node:test";

import { askedBy, DEFAULT_MODEL, embedCode, fullPage, onDevice, refusedOf, withSettings } from "../app/addresses.js";

const PAGE = "https://example.org/drawing/?model=icons#prompt=a+dog";

test("an address says how the page is laid out, what computes and what draws", () => {
  assert.deepEqual(askedBy(""), { embedded: false, device: "auto", model: DEFAULT_MODEL, bundle: `models/${DEFAULT_MODEL}/` });
  assert.deepEqual(askedBy("?embed&device=cpu&model=icons"), { embedded: true, device: "cpu", model: "icons", bundle: "models/icons/" });
  assert.equal(askedBy("?device=gpu").device, "auto");
});

test("an address names a model's folder, and nothing that is none", () => {
  for (const query of ["embed", "model=", "model=../secret", "model=a/b", "model=.hidden", "model=http://elsewhere"]) {
    assert.equal(askedBy(query).bundle, `models/${DEFAULT_MODEL}/`, query);
  }
});

test("what an address asks for and does not get is named, and what it gets is not", () => {
  for (const query of ["", "?embed", "?device=cpu&model=icons", "?device=auto", "?model=", "?utm_source=x&toString=1&__proto__=2", "?model=constructor", "?%"]) {
    assert.equal(refusedOf(query), null, query);
  }
  for (const [query, word] of [["?model=../secret", "../secret"], ["?model=__proto__", "__proto__"], ["?model=a%2Fb", "a/b"], ["?device=gpu", "gpu"], ["?device=toString", "toString"]]) {
    const problem = refusedOf(query);
    assert.ok(problem?.message.includes(`“${word}”`) && problem.remedy, query);
  }
  assert.ok((refusedOf(`?model=${"x".repeat(1e6)}`)?.message.length ?? Infinity) < 300);
});

test("what is handed on has the form's settings, whatever the page's address says", () => {
  assert.equal(withSettings("https://example.org/?model=icons#prompt=old", "#prompt=new"), "https://example.org/?model=icons#prompt=new");
  assert.equal(withSettings("https://example.org/", "#prompt=new"), "https://example.org/#prompt=new");
});

test("the full page keeps model, device and settings", () => {
  assert.equal(fullPage("https://example.org/drawing/?embed=&model=icons#prompt=a+dog"), PAGE);
  assert.equal(fullPage(PAGE), PAGE);
});

test("a device is asked for by the address, in place of the one asked for before", () => {
  const cpu = onDevice(PAGE, "cpu");
  assert.equal(cpu, "https://example.org/drawing/?model=icons&device=cpu#prompt=a+dog");
  assert.equal(onDevice(cpu, "webgpu"), "https://example.org/drawing/?model=icons&device=webgpu#prompt=a+dog");
  assert.equal(askedBy("?device=webgpu").device, "webgpu");
});

test("the embed code is markup with the small layout's address in it", () => {
  const code = embedCode(PAGE);
  assert.match(code, /^<iframe src="https:\/\/example\.org\/drawing\/\?model=icons&amp;embed=#prompt=a\+dog" .*><\/iframe>$/);
  assert.equal(embedCode("https://example.org/?embed").match(/embed=/g)?.length, 1);
});
