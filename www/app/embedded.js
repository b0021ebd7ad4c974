// Marks the small layout (`?embed`) before anything is painted; a module would run too late for that.
if (new URLSearchParams(location.search).has("embed")) document.documentElement.classList.add("embedded");
