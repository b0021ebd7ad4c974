// Numbers and states as words. Pure.

/** @import { CheckerVerdict, Device, Phase, Progress, ReflectionStop, Totals, Tuning, VerifierMode } from "./contract.js" */
/** @import { Moment } from "./drawing.js" */

/** @type {Record<VerifierMode, { name: string, option: string }>} */
export const VERIFIERS = {
  none: { name: "no verifier", option: "none: one draw, unjudged" },
  "best-of-k": { name: "CLIPScore", option: "best of k: CLIP, at the end" },
  orm: { name: "the outcome reward", option: "ORM: reward, at the end" },
  prm: { name: "the preview reward", option: "PRM: preview, each step" },
  parm: { name: "PARM", option: "PARM: potential, each step" },
  "parm-paths": { name: "PARM", option: "PARM paths: gives up bad pictures" },
  "self-orm": { name: "the generator", option: "self-ORM: asks Show-o, at the end" },
  self: { name: "the generator", option: "self: asks Show-o, each step" },
};

/** @type {Record<Tuning, string>} */
export const GENERATORS = {
  base: "Show-o, as trained",
  dpo: "DPO: aligned by the checker",
  "dpo-free": "DPO without a reference",
  "dpo-iterated": "DPO, iterated",
  "dpo-parm": "DPO, iterated with PARM",
};

/** A verifier by its name, also one that this page has never heard of. @param {string} mode */
export function verifierName(mode) {
  return Object.hasOwn(VERIFIERS, mode) ? VERIFIERS[/** @type {VerifierMode} */ (mode)].name : `“${mode}”`;
}

/** @type {Record<Phase, string>} */
const PHASES = {
  engine: "the engine’s code",
  manifest: "the bundle’s manifest",
  generator: "the generator",
  tokenizer: "the image tokenizer",
  verifier: "the verifier",
  compile: "Trying the devices",
  ready: "Ready",
};

/** @param {number} bytes */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** What the load bar says. @param {Progress} progress */
export function progressWords(progress) {
  if (progress.phase === "compile" || progress.phase === "ready") return PHASES[progress.phase];
  const what = `${progress.source === "network" ? "Fetching" : "Reading"} ${Object.hasOwn(PHASES, progress.phase) ? PHASES[progress.phase] : progress.phase}`;
  if (!progress.bytes_done && !progress.bytes_total) return what;
  const of = progress.bytes_total ? ` of ${megabytes(progress.bytes_total)}` : "";
  const from = { cache: "from this browser’s cache", disk: "from the folder", network: "from the network" }[progress.source];
  return `${what}: ${megabytes(progress.bytes_done)}${of}, ${from}`;
}

/** Which device draws, and why. @param {Device} device */
export function deviceSentence({ words, why, measured }) {
  if (why) return sentence(`${words}: ${why}`);
  if (!measured) return sentence(words);
  const [graphics, processor] = [measured.webgpu_seconds, measured.cpu_seconds].map((seconds) => (1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0));
  return sentence(`${words}, ${graphics} ms for a piece of work that takes the CPU ${processor} ms`);
}

/** A score as it is shown everywhere. @param {number} score */
export function scoreWords(score) {
  return score.toFixed(2).replace("-", "−");
}

/** The name of a moment on the time axis. @param {Moment} moment */
export function momentWords(moment) {
  switch (moment.kind) {
    case "step": return `Step ${moment.step + 1} of ${moment.steps}`;
    case "image": return moment.tries.length > 1 ? "The finished pictures" : "The drawn picture";
    case "round": return `Reflection, round ${moment.event.round}`;
  }
}

/** The same, in the room of a film edge. @param {Moment} moment */
export function momentMark(moment) {
  switch (moment.kind) {
    case "step": return String(moment.step + 1);
    case "image": return "end";
    case "round": return `R${moment.event.round}`;
  }
}

/**
 * @param {ReflectionStop} reason
 * @param {number} rounds
 * @param {{ threshold: number, epsilon: number } | null | undefined} settings
 */
export function reflectionEndWords(reason, rounds, settings) {
  const after = rounds === 0 ? "Reflection changed nothing" : `Reflection ended after ${count(rounds, "round")}`;
  const tau = settings ? ` τ = ${plain(settings.threshold)}` : " τ";
  const epsilon = settings ? ` ε = ${plain(settings.epsilon)}` : " ε";
  switch (reason) {
    case "nothing_weak": return `${after}: no patch scores below${tau}.`;
    case "satisfied": return `${after}: the verifier gives the picture even odds or better.`;
    case "converged": return `${after}: the picture changed by less than${epsilon}.`;
    case "rounds_spent": return `${after}: no rounds are left.`;
    default: return `${after}.`;
  }
}

/** @param {Totals} totals */
export function totalsWords(totals) {
  return [
    count(totals.generator_forwards, "generator forward"),
    `${totals.reward_forwards} scored`,
    `${count(totals.decoded_pictures, "picture")} decoded`,
    `${totals.seconds.toFixed(1)} s`,
  ];
}

/** The checker's word in short; worlds that GenEval's rules hold in have two. @param {CheckerVerdict} verdict */
export function verdictWords({ accepted, exact }) {
  const asked = accepted ? "as asked" : "not as asked";
  if (typeof exact !== "boolean") return `${asked}.`;
  // What is exact is accepted; the other way round there are things beside it.
  return `${asked} by GenEval’s rules${accepted ? `, ${exact ? "and exactly so" : "not exactly so"}` : ""}.`;
}

/** @param {number} number @param {string} noun */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** The engine's 32-bit floats without their tail. @param {number} value */
export function plain(value) {
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

/** One sentence ends in a full stop, whoever wrote it, and begins with a capital unless a file's name does. @param {string} text */
export function sentence(text) {
  const trimmed = text.trim();
  if (!trimmed) return "";
  const startsWithWord = /^\p{L}+[\s,:]/u.test(trimmed);
  return (startsWithWord ? trimmed[0].toUpperCase() + trimmed.slice(1) : trimmed) + (/[.!?]$/.test(trimmed) ? "" : ".");
}
