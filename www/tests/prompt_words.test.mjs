// The words of a prompt, cut as the engine cuts them, and the one that is replaced.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { withNear, wordsOf } from "../app/prompt_words.js";

test("words are cut as the engine cuts them", () => {
  // The engine reads the same cases in scenes/tests/world_api.rs.
  const cases = JSON.parse(readFileSync(new URL("../../scenes/tests/typed_words.json", import.meta.url), "utf8"));
  assert.ok(cases.length > 5);
  for (const [typed, words] of cases) assert.deepEqual(wordsOf(typed).map(({ text, start, end }) => [text, start, end]), words, typed);
});

test("a near word takes the unknown one's place, and no other", () => {
  for (const [prompt, word, near, expected] of [
    ["a star and a sta", "sta", "star", "a star and a star"],
    ["a sta and a star", "sta", "star", "a star and a star"],
    ["a start, a sta, a star", "sta", "star", "a start, a star, a star"],
    ["a red SIRCLE!", "sircle", "circle", "a red circle!"],
    ["  “Sta”?", "sta", "star", "  “star”?"],
    ["🌙 und ein stérn", "stérn", "stern", "🌙 und ein stern"],
    ["a dog's dgos", "dgos", "dogs", "a dog's dogs"],
    ["a dg's", "dgs", "dogs", "a dogs"],
    ["starsta sta-sta", "sta", "star", "starsta star-sta"],
    ["a trafic ligth and a cat", "trafic", "traffic light", "a traffic light and a cat"],
    ["a tenis racket", "tenis", "tennis racket", "a tennis racket"],
    ["a trafic and a cat", "trafic", "traffic light", "a traffic light and a cat"],
    ["a tooth", "tooth", "toothbrush", "a toothbrush"],
    // As the engine said it before it cut words by this rule.
    ["a sta?", "sta?", "star", "a star?"],
    ["nothing of it", "sta", "star", "nothing of it"],
    ["a .*", "", "star", "a .*"],
  ]) assert.equal(withNear(prompt, { word }, near), expected, prompt);
  assert.equal(withNear("a basebal cat", { word: "basebal" }, "baseball bat", ["bat", "cat"]), "a baseball bat cat", "a cat is meant as one");
  assert.equal(withNear("a star", {}, "moon"), "a star", "an engine that names no word");
});

test("where the engine says the place, that one is taken", () => {
  const prompt = "  a 🌙 tennis racket and a tennis";
  const place = /** @type {[number, number]} */ ([24, 30]);
  assert.equal([...prompt.trim()].slice(...place).join(""), "tennis");
  assert.equal(withNear(prompt, { word: "tennis", place }, "tie"), "  a 🌙 tennis racket and a tie");
  // The prompt has been edited since.
  assert.equal(withNear("a tennis", { word: "tennis", place }, "tie"), "a tie");
});
