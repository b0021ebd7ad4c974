// Models that were opened before: addresses, and folders where the browser gives a handle that outlives the page. Of a folder the handle is
// kept, never a copy, and the browser asks again before it lets the page read.
//
// A browser that keeps nothing (a private window, some frames) has opened none.

const ADDRESSES_KEY = "showo-models-opened";
const DATABASE = "showo-models";
const FOLDERS = "folders";

/** The oldest are forgotten. */
const MOST = 12;

/**
 * @typedef {{ kind: "address" | "folder", id: string, name: string, bytes: number, at: number, handle?: FileSystemDirectoryHandle }} Opened `id` is an address, or names a folder
 *
 * @typedef {object} Surroundings
 * @property {Pick<Storage, "getItem" | "setItem"> | null} storage
 * @property {IDBFactory | null} databases
 * @property {() => number} now in milliseconds
 */

/** @returns {Surroundings} */
export function surroundings() {
  const around = /** @type {Surroundings} */ ({ storage: null, databases: null, now: Date.now });
  // In a frame without an origin even the questions throw.
  try { around.storage = window.localStorage; } catch { /* none */ }
  try { around.databases = window.indexedDB; } catch { /* none */ }
  return around;
}

/** @param {Surroundings} around */
export function openedModels(around) {
  /** @returns {Opened[]} */
  function addresses() {
    try {
      const kept = JSON.parse(around.storage?.getItem(ADDRESSES_KEY) ?? "[]");
      return kept.filter((/** @type {any} */ one) => one?.kind === "address" && URL.canParse(one.id) && typeof one.name === "string" && one.bytes >= 0 && one.at >= 0);
    } catch {
      return [];
    }
  }

  /** @param {Opened[]} list */
  function write(list) {
    const newest = list.toSorted((left, right) => right.at - left.at).slice(0, MOST);
    try { around.storage?.setItem(ADDRESSES_KEY, JSON.stringify(newest)); } catch { /* full, or forbidden */ }
  }

  /**
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<T>} ask
   * @returns {Promise<T | undefined>}
   */
  async function folders(mode, ask) {
    try {
      const database = await answer(opening());
      try {
        return await answer(ask(database.transaction(FOLDERS, mode).objectStore(FOLDERS)));
      } finally {
        database.close();
      }
    } catch {
      return undefined;
    }
  }

  function opening() {
    if (!around.databases) throw new Error("this browser has no databases");
    const opened = around.databases.open(DATABASE, 1);
    opened.onupgradeneeded = () => opened.result.createObjectStore(FOLDERS, { keyPath: "id" });
    return opened;
  }

  return {
    /** The newest first. @returns {Promise<Opened[]>} */
    async all() {
      const kept = /** @type {Opened[]} */ ((await folders("readonly", (store) => store.getAll())) ?? []);
      return [...addresses(), ...kept].sort((left, right) => right.at - left.at);
    },

    /** @param {string} address @param {string} name @param {number} bytes */
    rememberAddress(address, name, bytes) {
      write([...addresses().filter(({ id }) => id !== address), { kind: "address", id: address, name, bytes, at: around.now() }]);
    },

    /** @param {string} id @param {string} name @param {number} bytes @param {FileSystemDirectoryHandle} handle */
    async rememberFolder(id, name, bytes, handle) {
      await folders("readwrite", (store) => store.put({ kind: "folder", id, name, bytes, at: around.now(), handle }));
    },

    /** @param {string} id */
    async forget(id) {
      write(addresses().filter((one) => one.id !== id));
      await folders("readwrite", (store) => store.delete(id));
    },
  };
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Whether the browser lets the page read a folder of an earlier visit; it may ask the visitor. @param {FileSystemDirectoryHandle} handle */
export async function mayRead(handle) {
  const asked = /** @type {any} */ (handle);
  try {
    return (await asked.queryPermission({ mode: "read" })) === "granted" || (await asked.requestPermission({ mode: "read" })) === "granted";
  } catch {
    return false;
  }
}
