// Loads the page again when what it is made of has changed. `cargo xtask demo --watch` puts this into the page it serves.
{
  const { version } = document.currentScript.dataset;
  const pause = () => new Promise((again) => setTimeout(again, 1000));

  const follow = async () => {
    for (;;) {
      try {
        const response = await fetch(`/xtask-watch/changes?${version}`, { cache: "no-store" });
        if (!response.ok) await pause();
        else if ((await response.text()) !== version) return location.reload();
      } catch {
        // xtask has ended, or is being started again.
        await pause();
      }
    }
  };
  void follow();
}
