// The page's own address: it follows the settings, so that they outlive a reload. Browsers take only so many changes of
// it, and some frames none: what is handed on (a link, a drawing) never comes from there.

/** So that whoever types changes it once, not once a letter. */
const PAUSE_MS = 400;

/** A browser that has had enough takes changes again later. */
const AGAIN_MS = 10_000;

/**
 * @param {(hash: string) => void} write may throw
 * @param {(run: () => void, milliseconds: number) => unknown} later
 */
export function addressBar(write, later = setTimeout) {
  /** @type {string | null} */
  let wanted = null;
  /** @type {string | null} */
  let written = null;
  /** Counts what was asked for, so that only the last request is acted on. */
  let request = 0;

  function now() {
    request += 1;
    if (wanted === null || wanted === written) return;
    try {
      write(wanted);
      written = wanted;
    } catch {
      again(AGAIN_MS);
    }
  }

  /** @param {number} milliseconds */
  function again(milliseconds) {
    const mine = (request += 1);
    later(() => mine === request && now(), milliseconds);
  }

  return {
    /** The address says this soon. @param {string} hash */
    follow(hash) {
      wanted = hash;
      again(PAUSE_MS);
    },
    /** It says at once what it is to say. */
    now,
    /** Somebody else has written it. */
    forget() {
      wanted = null;
      written = null;
      request += 1;
    },
  };
}
