// What must hold of every drawing's events (src/trace.rs).

import assert from "node:assert/strict";

/** @typedef {import("../../www/app/contract.js").Event} Event */
/** @typedef {Extract<Event, { type: "step" }>} StepEvent */

const MASK = -1;

/** The events' types, in order. @param {Event[]} events */
export const types = (events) => events.map((event) => event.type);

/**
 * The events of one type.
 *
 * @template {Event["type"]} T
 * @param {Event[]} events
 * @param {T} type
 * @returns {Extract<Event, { type: T }>[]}
 */
export function ofType(events, type) {
  return /** @type {any} */ (events.filter((event) => event.type === type));
}

/**
 * The steps of a stepwise mode: `count` of them, k candidates each, the highest score committed, and every token that
 * is known once stays.
 *
 * @param {StepEvent[]} steps
 * @param {{ count: number, candidates: number, scored: boolean }} expected
 */
export function assertSteps(steps, { count, candidates, scored }) {
  assert.deepEqual(steps.map((step) => step.step), Array.from({ length: count }, (_, index) => index));
  /** @type {number[] | null} */
  let before = null;
  for (const step of steps) {
    const where = `step ${step.step}`;
    assert.equal(step.steps, count, where);
    assert.equal(step.candidates.length, candidates, where);
    const chosen = step.candidates[step.chosen];
    assert.ok(chosen, `${where}: candidate ${step.chosen} was chosen, but there are ${candidates}`);
    for (const candidate of step.candidates) {
      assert.ok(candidate.sampled.every((token) => token >= 0), `${where}: a draw holds masked positions`);
      assert.equal(candidate.sampled.length, step.known_before.length, where);
      if (!scored) continue;
      const [score, best] = [candidate.score, chosen.score];
      assert.ok(typeof score === "number" && typeof best === "number" && Number.isFinite(score), `${where}: a candidate has no score`);
      assert.ok(best >= score, `${where}: ${best} was chosen over ${score}`);
    }
    assert.equal(chosen.tokens.filter((token) => token === MASK).length, step.masked_after, where);
    assert.ok(step.milliseconds > 0, where);
    const held = before ?? step.known_before.map(() => MASK);
    assert.deepEqual(step.known_before, held.map((token) => token !== MASK), `${where}: what is known changed between steps`);
    held.forEach((token, index) => {
      if (token === MASK) return;
      assert.equal(chosen.tokens[index], token, `${where}: position ${index} was fixed before`);
    });
    before = chosen.tokens;
  }
  assert.equal(steps.at(-1)?.masked_after, 0, "the last step leaves positions masked");
}

/** The events without what differs from run to run: times. @param {Event[]} events */
export function timeless(events) {
  return events.map((event) => {
    if (event.type === "step") return { ...event, milliseconds: 0 };
    if (event.type === "finished") return { ...event, totals: { ...event.totals, seconds: 0 } };
    return event;
  });
}
