// What this browser remembers of its devices from one visit to the next: which was faster, and whether the last visit ended in the
// middle of work on the graphics device, as a tab does that the system kills.
//
// A browser that keeps nothing (a private window, some frames) measures anew each time.

/** @import { Measured } from "./contract.js" */

const MEASURED_KEY = "showo-devices-measured";
const WORKING_KEY = "showo-graphics-device-at-work";
const KILLED_KEY = "showo-graphics-device-killed";

/** How long a measurement counts: drivers and browsers change. */
const MEASURED_DAYS = 30;

/**
 * @typedef {object} Surroundings what a page has around it, as far as it is there
 * @property {Storage | null} storage
 * @property {{ request: Function, query: Function } | null} locks the Web Locks: a tab that lives holds one
 * @property {string} agent the browser's own name: another one is another device
 * @property {() => number} now in milliseconds
 */

/** @returns {Surroundings} */
export function surroundings() {
  /** @type {Storage | null} */
  let storage = null;
  // In a frame without an origin even the question throws.
  try { storage = window.localStorage; } catch { /* nothing is remembered */ }
  return { storage, locks: navigator.locks ?? null, agent: navigator.userAgent, now: Date.now };
}

/** @param {Surroundings} around @param {string} model the folder that is drawn with: others are other work */
export function deviceMemory(around, model) {
  const id = `showo-tab-${around.now()}-${Math.random()}`;
  let working = false;

  /** @param {string} key */
  function read(key) {
    try { return JSON.parse(around.storage?.getItem(key) ?? "null"); } catch { return null; }
  }

  /** @param {string} key @param {object | null} value */
  function write(key, value) {
    try {
      if (value) around.storage?.setItem(key, JSON.stringify(value));
      else around.storage?.removeItem(key);
    } catch { /* full, or forbidden */ }
  }

  /** Whether the tab of this name is still there, as far as can be known. @param {string} tab */
  async function isThere(tab) {
    try {
      const { held } = await around.locks?.query();
      return held.some((/** @type {{ name: string }} */ lock) => lock.name === tab);
    } catch {
      return false;
    }
  }

  return {
    /** What was measured of this browser with this model. @returns {Measured | null} */
    measured() {
      const kept = read(MEASURED_KEY);
      const fresh = kept?.agent === around.agent && kept?.model === model && around.now() - kept?.at < MEASURED_DAYS * 86_400_000;
      const { adapter, webgpu_seconds, cpu_seconds } = kept?.measured ?? {};
      const whole = typeof adapter === "string" && webgpu_seconds > 0 && cpu_seconds > 0;
      return fresh && whole ? { adapter, webgpu_seconds, cpu_seconds } : null;
    },

    /** @param {Measured} measured */
    remember(measured) {
      write(MEASURED_KEY, { measured, model, agent: around.agent, at: around.now() });
    },

    /**
     * Whether a visit ended while its graphics device was at work, and nobody has asked for that device since.
     *
     * @param {boolean} asked whether this visit asks for it
     */
    async wasKilled(asked) {
      const left = read(WORKING_KEY);
      const fresh = typeof left?.tab === "string" && !(await isThere(left.tab));
      if (fresh) {
        write(WORKING_KEY, null);
        write(KILLED_KEY, { at: around.now() });
        return true;
      }
      if (asked) write(KILLED_KEY, null);
      return !asked && read(KILLED_KEY) !== null;
    },

    /** To be called whenever it may have changed whether the graphics device is at work. @param {boolean} atWork */
    note(atWork) {
      if (atWork === working) return;
      working = atWork;
      if (!atWork) return write(WORKING_KEY, null);
      // Held for as long as this tab lives, so that another tab does not take it for a dead one.
      try { around.locks?.request(id, () => new Promise(() => {}))?.catch?.(() => {}); } catch { /* then it may */ }
      write(WORKING_KEY, { tab: id });
    },
  };
}
