// Stands in for the service worker while xtask watches: clears away the copy for visits without a network, and itself,
// so that what is seen is what lies in www/.

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => event.waitUntil(leave()));

async function leave() {
  for (const name of await caches.keys()) {
    if (name.startsWith("showo-page-")) await caches.delete(name);
  }
  await self.registration.unregister();
  // What they show is the copy.
  for (const page of await self.clients.matchAll({ type: "window" })) await page.navigate(page.url).catch(() => {});
}
