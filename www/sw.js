// Keeps the page for a visit without a network.
//
// With a network, everything comes from it: nobody sees yesterday's page. Without one, the last page that was kept
// answers. Shards are not kept here: the engine has a cache of its own for them (fetch_cached.js), and checks them.

/** Bump when what is stored changes its form. */
const CACHE_NAME = "showo-page-1";

/** The build's list of everything but the shards. */
const LIST = "offline.json";

/** @type {any} a service worker's global scope, which this project's type library (the page's) does not hold */
const scope = self;

scope.addEventListener("install", (/** @type {any} */ event) => {
  event.waitUntil(keepAll().then(() => scope.skipWaiting()));
});

scope.addEventListener("activate", (/** @type {any} */ event) => {
  event.waitUntil(scope.clients.claim());
});

scope.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  const url = new URL(request.url);
  const ours = request.method === "GET" && url.origin === location.origin;
  if (ours && !url.pathname.endsWith(".safetensors")) event.respondWith(networkFirst(request));
});

async function keepAll() {
  const cache = await caches.open(CACHE_NAME);
  const response = await fetch(LIST);
  if (!response.ok) throw new Error(`${LIST}: the server answered ${response.status}`);
  await cache.addAll(["./", ...(await response.json())]);
}

/** @param {Request} request */
async function networkFirst(request) {
  const cache = await caches.open(CACHE_NAME);
  try {
    const response = await fetch(request);
    if (response.status === 200) {
      // What cannot be kept (a full disk) is still shown.
      cache.put(keyOf(request), response.clone()).catch(() => {});
    }
    return response;
  } catch (problem) {
    const kept = await cache.match(keyOf(request));
    if (kept) return kept;
    throw problem;
  }
}

/** `?embed` and `?device=cpu` are the same page. @param {Request} request */
function keyOf(request) {
  const url = new URL(request.url);
  url.search = "";
  url.hash = "";
  return url.href;
}
