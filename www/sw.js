// Keeps the page, whole and of one version, so that it opens whatever the network does.
//
// A version is a list of files with their SHA-256, which the build writes (offline.json). It is kept in a cache of its
// own, and counts once every file in it is there and right; until then the version before answers. Which version a
// visit gets is settled when its page is asked for; what that page and its worker ask for later comes from the same
// one. Shards are not kept here: the engine has a cache of its own for them (fetch_cached.js), and checks them.
//
// Whatever the browser refuses to keep or to give back is asked of the network.

/** Bump when what is stored changes its form; caches of other names that begin alike are removed. */
const CACHE_NAME = "showo-page-2";
const CACHE_FAMILY = "showo-page-";

/** The build's list of everything but the shards. */
const LIST = "offline.json";

/** How long a visit waits to hear of a newer version, in milliseconds. A newer one that comes later is the next visit's. */
const PATIENCE_MS = 500;

/** A server that says nothing for so long is given up; and so soon when somebody visits again. */
const STALL_MS = 15_000;
const QUIET_MS = 2_000;

/** How many files are fetched at a time. */
const LANES = 6;

/** A page that was asked for so lately may be open though the browser does not say so yet. */
const YOUNG_MS = 5_000;
const TIDY_AFTER_MS = YOUNG_MS + 1_000;

/** @type {any} a service worker's global scope, which this project's type library (the page's) does not hold */
const scope = self;

/** The page's folder. A site may hold several pages, and they share their caches' names. */
const HOME = new URL("./", location.href);
const PREFIX = `${CACHE_NAME}:${HOME.pathname}:`;
/** Which version every open page has: this worker may be ended and started again meanwhile. */
const OPEN_PAGES = `${PREFIX}open`;

/**
 * @typedef {{ name: string, text: string, files: Map<string, string> }} List `name` is the list's own hash, `files` has theirs
 * @typedef {{ name: string, files: Map<string, string>, since: number, cache: Cache }} Version kept whole
 */

/** @type {Map<string, Version>} by their names, as far as they were read */
const versions = new Map();
/** @type {Map<string, string>} the version of every open page and worker by its client's id; empty for the network's */
const versionNames = new Map();
/** @type {{ name: string, version: Promise<Version>, stop: AbortController } | null} what is being put together */
let making = null;
/** When the network last sent something of it. */
let heard = 0;

scope.addEventListener("install", (/** @type {any} */ event) => {
  event.waitUntil(refreshed().then(() => scope.skipWaiting()));
});

scope.addEventListener("activate", (/** @type {any} */ event) => {
  event.waitUntil(begin());
});

scope.addEventListener("fetch", (/** @type {any} */ event) => {
  const name = nameOf(event.request);
  if (name !== null) event.respondWith(answer(event, name));
});

async function begin() {
  await quietly(forgetOtherForms);
  await quietly(adoptOpenPages);
  await quietly(() => scope.clients.claim());
}

// --- a visit ----------------------------------------------------------------------------------------------------------

/** @param {any} event @param {string} name @returns {Promise<Response>} */
async function answer(event, name) {
  const { request } = event;
  const opens = request.mode === "navigate" && name === "index.html";
  let version = opens ? await versionForVisit(event) : await versionOf(event, event.clientId || event.resultingClientId);
  let kept = version && (await read(version, name));
  if (opens && !kept) version = null;
  // A page's worker is of the page's version, too.
  if (event.resultingClientId) assign(event, event.resultingClientId, version);
  if (kept) return kept;
  return version?.files.has(name) ? sameFromNetwork(version, name, request) : fetch(request);
}

/**
 * The newest version if that is known and here soon enough, else the one that is kept, else none: then everything comes
 * from the network.
 *
 * @param {any} event
 * @returns {Promise<Version | null>}
 */
async function versionForVisit(event) {
  const kept = await newest();
  const newer = navigator.onLine === false ? Promise.resolve(null) : refreshed().catch(stays);
  event.waitUntil(newer.then(() => pause(TIDY_AFTER_MS)).then(() => quietly(tidy)));
  if (!kept) return null;
  return (await Promise.race([newer, pause(PATIENCE_MS)])) ?? kept;
}

/** @param {unknown} problem */
function stays(problem) {
  // For whoever serves the page; visitors have the version that they had.
  console.warn(`No other version of this page is taken over: ${problem instanceof Error ? problem.message : problem}`);
  return null;
}

/** The version that an open page or worker has. @param {any} event @param {string} client @returns {Promise<Version | null>} */
async function versionOf(event, client) {
  let name = versionNames.get(client);
  name ??= await quietly(() => assignedBefore(client));
  if (name === undefined) {
    const version = await newest();
    if (client) assign(event, client, version);
    return version;
  }
  versionNames.set(client, name);
  return name === "" ? null : (versions.get(name) ?? (await quietly(() => load(String(name)))) ?? null);
}

/** @param {string} client @returns {Promise<string | undefined>} */
async function assignedBefore(client) {
  if (!client) return undefined;
  const answer = await (await caches.open(OPEN_PAGES)).match(addressOfClient(client));
  return answer ? (await answer.json()).version : undefined;
}

/** @param {any} event @param {string} client @param {Version | null} version null for the network */
function assign(event, client, version) {
  const name = version?.name ?? "";
  versionNames.set(client, name);
  event.waitUntil(quietly(() => remember(client, name)));
}

/** @param {string} client @param {string} version */
async function remember(client, version) {
  const note = new Response(JSON.stringify({ version, since: Date.now() }));
  await (await caches.open(OPEN_PAGES)).put(addressOfClient(client), note);
}

/** Pages that were open before this worker was there ask it from now on. */
async function adoptOpenPages() {
  const version = await newest();
  if (!version) return;
  for (const { id, url } of await scope.clients.matchAll({ includeUncontrolled: true, type: "all" })) {
    if (!url.startsWith(HOME.href) || (await assignedBefore(id)) !== undefined) continue;
    versionNames.set(id, version.name);
    await remember(id, version.name);
  }
}

/** A file as it is kept, if it can be read. @param {Version} version @param {string} name @returns {Promise<Response | null>} */
async function read(version, name) {
  if (!version.files.has(name)) return null;
  // A server's `Vary` says nothing about a file that is the same for everybody.
  return (await quietly(() => version.cache.match(addressOf(name), { ignoreVary: true }))) ?? null;
}

/**
 * A file that is kept no more, from the network if it is the same there. Another version's would run among those of
 * this one: then the page has to be loaded again, and comes from the network as a whole.
 *
 * @param {Version} version
 * @param {string} name
 * @param {Request} request
 */
async function sameFromNetwork(version, name, request) {
  const response = await fetch(request);
  if (response.status !== 200) return response;
  if ((await sha256(await response.clone().arrayBuffer())) === version.files.get(name)) return response;
  versions.delete(version.name);
  await quietly(() => caches.delete(PREFIX + version.name));
  return Response.error();
}

// --- versions ---------------------------------------------------------------------------------------------------------

/** The version that was taken over last; none where nothing whole is kept or can be read. @returns {Promise<Version | null>} */
async function newest() {
  let newest = null;
  for (const name of (await quietly(keptNames)) ?? []) {
    const version = await quietly(() => load(name));
    if (version && (!newest || version.since > newest.since)) newest = version;
  }
  return newest;
}

/** The names of all versions, also of those that are not whole. */
async function keptNames() {
  const names = await caches.keys();
  return names.filter((name) => name.startsWith(PREFIX) && name !== OPEN_PAGES).map((name) => name.slice(PREFIX.length));
}

/** A version that is whole: its list is put in last. @param {string} name @returns {Promise<Version | undefined>} */
async function load(name) {
  if (!(await caches.has(PREFIX + name))) return undefined;
  const cache = await caches.open(PREFIX + name);
  const list = await cache.match(addressOf(LIST), { ignoreVary: true });
  if (!list) return undefined;
  const version = { name, cache, since: Number(list.headers.get("X-Since")), files: filesOf(await list.text()) };
  versions.set(name, version);
  return version;
}

/**
 * Looks for a newer version and takes it over. Every visit looks: one that waits for a server which will never answer
 * is in no later visit's way. One version is put together at a time.
 */
async function refreshed() {
  const list = await askForList();
  if (making?.name === list.name && Date.now() - heard < QUIET_MS) return making.version;
  making?.stop.abort();
  const stop = new AbortController();
  const mine = { name: list.name, stop, version: takeOver(list, stop.signal).finally(() => making === mine && (making = null)) };
  making = mine;
  heard = Date.now();
  return mine.version;
}

/** @returns {Promise<List>} */
async function askForList() {
  // Past the browser's own cache, in which a request that hangs would hold up the next one for the same file.
  const { bytes } = await download(LIST, "no-store");
  const text = new TextDecoder().decode(bytes);
  return { name: await sha256(bytes), text, files: filesOf(text) };
}

/** @param {string} text @throws where it is no list of ours, but a portal's page, say */
function filesOf(text) {
  const { files } = JSON.parse(text);
  const entries = Object.entries(files ?? {});
  const sound = entries.every(([name, hash]) => /^[0-9a-f]{64}$/.test(String(hash)) && !/^\/|(^|\/)\.\.?(\/|$)/.test(name));
  if (!sound || !Object.hasOwn(files ?? {}, "index.html")) throw new Error(`${LIST} is no list of this page’s files`);
  return /** @type {Map<string, string>} */ (new Map(entries));
}

/**
 * Puts a version together and lets it count once it is whole. What was fetched for it stays where that fails, for the
 * next try.
 *
 * @param {List} list
 * @param {AbortSignal} signal
 * @returns {Promise<Version>}
 */
async function takeOver(list, signal) {
  const before = await newest();
  if (before?.name === list.name) return before;
  const cache = await caches.open(PREFIX + list.name);
  const names = [...list.files.keys()];
  const lane = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) await putFile(cache, name, list, before, signal);
  };
  try {
    await Promise.all(Array.from({ length: LANES }, lane));
  } finally {
    // Where one fails, the others need not go on.
    names.length = 0;
  }
  // Never older than the one before it, whatever the clock says.
  const since = Math.max(Date.now(), (before?.since ?? 0) + 1);
  await cache.put(addressOf(LIST), new Response(list.text, { headers: { "Content-Type": "application/json", "X-Since": String(since) } }));
  const version = await load(list.name);
  if (!version) throw new Error("what was kept is gone again");
  await quietly(() => tidy(true));
  return version;
}

/** @param {Cache} cache @param {string} name @param {List} list @param {Version | null} before @param {AbortSignal} signal */
async function putFile(cache, name, list, before, signal) {
  const hash = list.files.get(name);
  if (await cache.match(addressOf(name), { ignoreVary: true })) return;
  if (before && before.files.get(name) === hash) {
    const kept = await read(before, name);
    if (kept && (await sha256(await kept.clone().arrayBuffer())) === hash) return cache.put(addressOf(name), kept);
  }
  // The browser's own cache may hold it from the first visit, or hold an older one.
  let file = await download(name, "default", signal);
  if ((await sha256(file.bytes)) !== hash) file = await download(name, "reload", signal);
  if ((await sha256(file.bytes)) !== hash) throw new Error(`${name} is not the file that ${LIST} names`);
  await cache.put(addressOf(name), new Response(file.bytes, { headers: keptHeaders(file) }));
}

/** All of a file from the network. @param {string} name @param {RequestCache} mode @param {AbortSignal} [signal] */
async function download(name, mode, signal) {
  const stop = new AbortController();
  const giveUp = () => stop.abort();
  let stall = setTimeout(giveUp, STALL_MS);
  signal?.addEventListener("abort", giveUp);
  try {
    if (signal?.aborted) throw new Error("another look has begun");
    // A list from elsewhere is a portal's; a file may be led to under another name (`index.html` to its folder).
    const redirect = name === LIST ? "error" : "follow";
    const response = await fetch(addressOf(name), { cache: mode, redirect, signal: stop.signal });
    if (response.status !== 200 || !response.body) throw new Error(`${name}: the server answered ${response.status}`);
    const parts = [];
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(stall);
      stall = setTimeout(giveUp, STALL_MS);
      if (signal) heard = Date.now();
      parts.push(part.value);
    }
    return { bytes: await new Blob(parts).arrayBuffer(), headers: response.headers };
  } finally {
    clearTimeout(stall);
    signal?.removeEventListener("abort", giveUp);
  }
}

/** What the server says of a file, without what was true of its journey only. @param {{ bytes: ArrayBuffer, headers: Headers }} file */
function keptHeaders({ bytes, headers }) {
  const kept = new Headers(headers);
  for (const name of ["Content-Encoding", "Transfer-Encoding", "Vary"]) kept.delete(name);
  kept.set("Content-Length", String(bytes.byteLength));
  return kept;
}

/** Removes versions that no page has open. @param {boolean} [unfinished] also those that were begun and are of no use any more */
async function tidy(unfinished = false) {
  const latest = await newest();
  if (!latest) return;
  const inUse = await versionsInUse();
  for (const name of await keptNames()) {
    if (name === latest.name || name === making?.name || inUse.has(name)) continue;
    if (!unfinished && !(await load(name))) continue;
    versions.delete(name);
    await caches.delete(PREFIX + name);
  }
}

async function versionsInUse() {
  /** @type {{ id: string }[]} */
  const clients = await scope.clients.matchAll({ includeUncontrolled: true, type: "all" });
  const open = new Set(clients.map(({ id }) => addressOfClient(id)));
  const notes = await caches.open(OPEN_PAGES);
  const inUse = new Set();
  for (const request of await notes.keys()) {
    const { version, since } = await (await notes.match(request))?.json() ?? {};
    if (open.has(request.url) || Date.now() - since < YOUNG_MS) inUse.add(version);
    else await notes.delete(request);
  }
  return inUse;
}

async function forgetOtherForms() {
  for (const name of await caches.keys()) {
    if (name.startsWith(CACHE_FAMILY) && !name.startsWith(`${CACHE_NAME}:`)) await caches.delete(name);
  }
}

// --- names and addresses ----------------------------------------------------------------------------------------------

/** The file that is asked for, as the list names it: `?embed` and `?device=cpu` are the same page. @param {Request} request */
function nameOf(request) {
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== HOME.origin || !url.pathname.startsWith(HOME.pathname)) return null;
  try {
    const name = decodeURIComponent(url.pathname.slice(HOME.pathname.length)) || "index.html";
    return name.endsWith(".safetensors") || name === LIST ? null : name;
  } catch {
    return null;
  }
}

/** @param {string} name */
function addressOf(name) {
  return new URL(name.split("/").map(encodeURIComponent).join("/"), HOME).href;
}

/** @param {string} client */
function addressOfClient(client) {
  return new URL(`open-pages/${encodeURIComponent(client)}`, HOME).href;
}

/** @param {ArrayBuffer} bytes */
async function sha256(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {number} milliseconds @returns {Promise<null>} */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(() => resolve(null), milliseconds));
}

/**
 * What a browser may refuse (a full disk, a private window, storage that was cleared) is nothing that is there.
 *
 * @template T
 * @param {() => Promise<T>} ask
 * @returns {Promise<T | undefined>}
 */
async function quietly(ask) {
  try {
    return await ask();
  } catch {
    return undefined;
  }
}
