// What the numbers of the form may be. Written by tests/settings_stated_once.rs from src/settings/fields.rs.

/**
 * One numeric setting: its id on the page and in the link, its name in a sentence, its range, and what it decides.
 *
 * @typedef {{ id: string, name: string, lowest: number, highest: number, step: number, whole: boolean, ofReflection: boolean, sentence: string }} NumberField
 */

/** @type {NumberField[]} */
export const NUMBER_FIELDS = [
  { id: "seed", name: "Seed", lowest: 0, highest: Number.MAX_SAFE_INTEGER, step: 1, whole: true, ofReflection: false, sentence: "Seed of all randomness: the same one draws the same picture again." },
  { id: "steps", name: "Steps (T)", lowest: 1, highest: 64, step: 1, whole: true, ofReflection: false, sentence: "Decoding steps from a blank grid to a picture." },
  { id: "guidance", name: "Guidance (g)", lowest: 0, highest: 20, step: 0.5, whole: false, ofReflection: false, sentence: "How strongly the prompt pulls: (1 + g) · with − g · without it." },
  { id: "temperature", name: "Temperature", lowest: 0, highest: 10, step: 0.1, whole: false, ofReflection: false, sentence: "How much chance has a say in which tokens are kept after a step." },
  { id: "candidates", name: "Candidates (k)", lowest: 1, highest: 16, step: 1, whole: true, ofReflection: false, sentence: "Draws of every step among which the verifier chooses, or whole pictures." },
  { id: "tau", name: "Threshold (τ)", lowest: -1, highest: 2.5, step: 0.05, whole: false, ofReflection: true, sentence: "Patches whose CLIPScore is below this are drawn again." },
  { id: "epsilon", name: "Smallest change (ε)", lowest: 0, highest: 2, step: 0.01, whole: false, ofReflection: true, sentence: "Reflection ends when a round changes the picture by less than this." },
  { id: "rounds", name: "Rounds (R)", lowest: 1, highest: 10, step: 1, whole: true, ofReflection: true, sentence: "Rounds of reflection at most." },
  { id: "patch-grid", name: "Patch grid (M)", lowest: 2, highest: 32, step: 1, whole: true, ofReflection: true, sentence: "Patches along a side of the picture." },
];
