// What an address asks for, and the addresses that the page hands on.
import assert from "node:assert/strict";
import { test } from "node:test";

import { askedBy, bundleAddress, DEFAULT_MODEL, embedCode, fullPage, onDevice, refusedOf, withSettings } from "../app/addresses.js";

const HERE = "https://example.org/drawing/";
const PAGE = `${HERE}?model=icons#prompt=a+dog`;

test("an address says how the page is laid out, what computes and what draws", () => {
  assert.deepEqual(askedBy(HERE), { embedded: false, device: "auto", model: DEFAULT_MODEL, address: null });
  assert.deepEqual(askedBy(`${HERE}?embed&device=cpu&model=icons`), { embedded: true, device: "cpu", model: "icons", address: null });
  assert.equal(askedBy(`${HERE}?device=gpu`).device, "auto");
});

test("an address names a model's folder, and nothing that is none", () => {
  for (const query of ["embed", "model=", "model=../secret", "model=a/b", "model=.hidden", "model=http://elsewhere"]) {
    assert.equal(askedBy(`${HERE}?${query}`).model, DEFAULT_MODEL, query);
  }
});

test("what an address asks for and does not get is named, and what it gets is not", () => {
  for (const query of ["", "?embed", "?device=cpu&model=icons", "?device=auto", "?model=", "?utm_source=x&toString=1&__proto__=2", "?model=constructor", "?%"]) {
    assert.equal(refusedOf(HERE + query), null, query);
  }
  for (const [query, word] of [["?model=../secret", "../secret"], ["?model=__proto__", "__proto__"], ["?model=a%2Fb", "a/b"], ["?device=gpu", "gpu"], ["?device=toString", "toString"]]) {
    const problem = refusedOf(HERE + query);
    assert.ok(problem?.message.includes(`“${word}”`) && problem.remedy, query);
  }
  assert.ok((refusedOf(`${HERE}?model=${"x".repeat(1e6)}`)?.message.length ?? Infinity) < 300);
});

test("a bundle's address is read as it is written, its manifest's too, and only as a folder of http or https", () => {
  for (const [text, address] of [
    ["/bundles/show-o", "https://example.org/bundles/show-o/"], ["bundle/", "https://example.org/drawing/bundle/"], [" https://a.b/c/manifest.json#x ", "https://a.b/c/"],
    ["//a.b", "https://a.b/"], ["https://name:word@a.b/c", "https://a.b/c/"], ["http://127.0.0.1:8000/b", "http://127.0.0.1:8000/b/"],
  ]) assert.deepEqual(bundleAddress(text, HERE), { address }, text);
  for (const text of ["", "  ", "javascript:alert(1)", "data:text/plain,x", "folder:x/", "file:///home", "http://", "https://a.b/c?x=1", "http://a.b/c", `https://a b/${"x".repeat(1e5)}`]) {
    const { problem } = bundleAddress(text, HERE);
    assert.ok(problem?.remedy && problem.message.length < 300, text);
  }
  assert.equal(askedBy(`${HERE}?model=icons&bundle=/b`).address, "https://example.org/b/");
  assert.equal(askedBy(`${HERE}?bundle=javascript:1`).address, null);
  assert.ok(refusedOf(`${HERE}?bundle=javascript:1`)?.message.includes("javascript:1"));
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
  assert.equal(askedBy(`${HERE}?device=webgpu`).device, "webgpu");
});

test("the embed code is markup with the small layout's address in it", () => {
  const code = embedCode(PAGE);
  assert.match(code, /^<iframe src="https:\/\/example\.org\/drawing\/\?model=icons&amp;embed=#prompt=a\+dog" .*><\/iframe>$/);
  assert.equal(embedCode("https://example.org/?embed").match(/embed=/g)?.length, 1);
});
