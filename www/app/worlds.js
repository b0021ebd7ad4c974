// What the page says before a model has arrived, by the folder that the model lies in. Pure.
//
// The examples are those of the engine (scenes/src/world_api/examples.rs), which a test there holds this file to.

/**
 * @typedef {{ kind: string, prompt: string }} Example
 *
 * @typedef {object} WorldPage
 * @property {Partial<Record<string, string>>} typed what the form says at first, where it is not settings.js's default
 * @property {Example[]} examples one of each of GenEval's kinds
 * @property {string | null} trained_on ends the sentence that the model was “trained from nothing on …”; null where that is not known
 */

/** @type {Record<string, WorldPage>} */
export const WORLDS = {
  scenes: {
    typed: {},
    examples: [
      { kind: "Single object", prompt: "a circle" },
      { kind: "Two objects", prompt: "a star and a moon" },
      { kind: "Counting", prompt: "three hearts" },
      { kind: "Colours", prompt: "a red ring" },
      { kind: "Position", prompt: "a circle left of a square" },
      { kind: "Attributes", prompt: "a red circle and a blue square" },
    ],
    trained_on: "a small world of coloured shapes",
  },
  icons: {
    typed: { prompt: "a purple dog and a black dining table", temperature: "1", verifier: "none" },
    examples: [
      { kind: "Single object", prompt: "a giraffe" },
      { kind: "Two objects", prompt: "a cat and a bicycle" },
      { kind: "Counting", prompt: "three clocks" },
      { kind: "Colours", prompt: "a blue umbrella" },
      { kind: "Position", prompt: "a bird left of a bench" },
      { kind: "Attributes", prompt: "a purple dog and a black dining table" },
    ],
    trained_on: "a picture-book world of the eighty kinds of things that GenEval asks for",
  },
};

/** A model of somebody else: nothing is known of it before it has arrived. @type {WorldPage} */
const UNKNOWN = { typed: { prompt: "" }, examples: [], trained_on: null };

/** @param {string} model the folder's name under models/, or the world that a bundle names @returns {WorldPage} */
export function worldOf(model) {
  return Object.hasOwn(WORLDS, model) ? WORLDS[model] : UNKNOWN;
}

/**
 * The world of the model that draws: by its folder before it has arrived, and by what its bundle says.
 *
 * @param {{ source: { kind: string, id: string } | null, facts: { world: string | null } | null }} state
 */
export function worldIn({ source, facts }) {
  const folder = source?.kind === "shipped" ? source.id : "";
  return worldOf(Object.hasOwn(WORLDS, folder) ? folder : (facts?.world ?? ""));
}

/** How a model came to be, after “with the architecture of Show-o”. @param {WorldPage} world */
export function trainedWords({ trained_on }) {
  return trained_on === null ? "and the weights that were opened here" : `at a small size, trained from nothing on ${trained_on}`;
}
