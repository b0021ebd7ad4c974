// Says what a sandboxed frame lacks, where that keeps the page from drawing. No module: such a frame loads none of them
// from most servers.
if (self.origin === "null" && location.protocol !== "file:") {
  const why = "This frame’s sandbox gives the page no origin, and without one it may not start what draws. "
    + "Whoever made the frame has to write sandbox=\"allow-scripts allow-same-origin\", or leave sandbox out.";
  // For the page, where it does load.
  document.documentElement.dataset.cannotDraw = why;
  for (const [id, words] of [["error", why], ["status", "Nothing can be drawn in this frame."]]) {
    const element = document.getElementById(id);
    if (element) element.textContent = words;
  }
}
