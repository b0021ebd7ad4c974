// The words of a prompt, by the engine's rule (scenes/src/typed.rs): a run of letters and digits, in small letters and
// without apostrophes. All else only separates words. Which of them are known is the engine's to say. Pure.

/** @typedef {{ text: string, start: number, end: number }} Word `start` and `end` count characters, not JavaScript's units */

/** @param {string} prompt @returns {Word[]} */
export function wordsOf(prompt) {
  const letters = [...prompt];
  /** @type {Word[]} */
  const words = [];
  /** @type {Word | null} */
  let word = null;
  let abbreviated = false;
  letters.forEach((letter, at) => {
    if (/[\p{Alphabetic}\p{N}]/u.test(letter)) {
      word ??= { text: "", start: at, end: at };
      word.text += letter.toLowerCase();
      word.end = at + 1;
      return;
    }
    if (letter === "'" || letter === "’") return;
    // “T.v.” is one word.
    const letterFollows = /\p{Alphabetic}/u.test(letters[at + 1] ?? "");
    if (letter === "." && letterFollows && (abbreviated || (word && word.end - word.start === 1))) {
      abbreviated = true;
      return;
    }
    if (word) words.push(word);
    word = null;
    abbreviated = false;
    if (letter === "&" || letter === "+") words.push({ text: "and", start: at, end: at + 1 });
  });
  if (word) words.push(word);
  return words;
}

/**
 * The prompt with another word in the place of the one that the engine does not know.
 *
 * @param {string} prompt as it is typed
 * @param {{ word?: string, place?: [number, number] }} unknown `place` where the engine says it, in the prompt without the spaces around it
 * @param {string} near
 * @param {string[]} [known] what the engine says that it knows, for words beside that one
 */
export function withNear(prompt, { word, place }, near, known = []) {
  const words = wordsOf(prompt);
  const wanted = wordsOf(word ?? "").map(({ text }) => text).join("");
  const spaces = [...prompt].length - [...prompt.trimStart()].length;
  const said = place ? words.findIndex(({ text, start }) => text === wanted && start === place[0] + spaces) : -1;
  const at = said >= 0 ? said : words.findIndex(({ text }) => text === wanted);
  if (at < 0) return prompt;
  const letters = [...prompt];
  return letters.slice(0, words[at].start).join("") + near + letters.slice(words[at + alsoMeant(words.slice(at + 1), near, known)].end).join("");
}

/**
 * How many of the following words a name of several words was offered for: “traffic light” for “trafic ligth”.
 *
 * @param {Word[]} following
 * @param {string} near
 * @param {string[]} known
 */
function alsoMeant(following, near, known) {
  const others = near.split(" ").slice(1);
  const isMeant = (/** @type {string} */ text, /** @type {string} */ other) =>
    text === other || (!known.includes(text) && slips(text, other) <= Math.ceil(other.length / 3));
  const differs = others.findIndex((other, index) => !following[index] || !isMeant(following[index].text, other));
  return differs < 0 ? others.length : differs;
}

/** How many letters one has to change, add or leave out. @param {string} left @param {string} right */
function slips(left, right) {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  // A word that is much longer is another one, however long it takes to compare them.
  if (left.length > right.length * 2) return left.length;
  for (const [index, letter] of [...left].entries()) {
    const next = [index + 1];
    for (let at = 0; at < right.length; at += 1) {
      next.push(Math.min(next[at] + 1, row[at + 1] + 1, row[at] + (letter === right[at] ? 0 : 1)));
    }
    row = next;
  }
  return row[right.length];
}
