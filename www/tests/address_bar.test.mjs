// The page's own address, in a browser that refuses to have it changed.
import assert from "node:assert/strict";
import { test } from "node:test";

import { addressBar } from "../app/address_bar.js";

/** A bar whose time goes on when it is told to. */
function bar() {
  /** @type {{ run: () => void, at: number }[]} */
  const waiting = [];
  const world = {
    /** @type {string[]} */
    written: [],
    refuses: false,
    now: 0,
    pass(/** @type {number} */ milliseconds) {
      world.now += milliseconds;
      for (const { run, at } of waiting.splice(0)) at <= world.now ? run() : waiting.push({ run, at });
    },
  };
  const write = (/** @type {string} */ hash) => {
    if (world.refuses) throw new DOMException("Attempt to use history.replaceState() more than 100 times per 30 seconds", "SecurityError");
    world.written.push(hash);
  };
  return { ...addressBar(write, (run, milliseconds) => waiting.push({ run, at: world.now + milliseconds })), world };
}

test("whoever types changes the address once, when there is a pause", () => {
  const { follow, world } = bar();
  for (let letter = 0; letter < 200; letter += 1) {
    follow(`#${letter}`);
    world.pass(50);
  }
  assert.deepEqual(world.written, []);
  world.pass(1_000);
  assert.deepEqual(world.written, ["#199"]);
});

test("what is to be said can be said at once, and is not said again", () => {
  const { follow, now, world } = bar();
  now();
  follow("#a");
  now();
  now();
  world.pass(1_000);
  assert.deepEqual(world.written, ["#a"]);
});

test("a refusal is survived, and made up for later by the newest", () => {
  const { follow, now, world } = bar();
  world.refuses = true;
  follow("#a");
  now();
  follow("#b");
  world.pass(1_000);
  world.refuses = false;
  assert.deepEqual(world.written, []);
  world.pass(20_000);
  assert.deepEqual(world.written, ["#b"]);
});

test("an address that somebody else has written is left alone", () => {
  const { follow, forget, world } = bar();
  follow("#a");
  forget();
  world.pass(60_000);
  assert.deepEqual(world.written, []);
});
