"""The console's own script: it puts parts of a page in place as they change.

Without it, a page is as the run was when it was loaded.
"""

from __future__ import annotations

SCRIPT = """\
"use strict";
(() => {
  const live = document.querySelector("[data-live]");
  if (!live || !window.EventSource) return;
  const said = document.getElementById("said");
  const byId = (id) => document.getElementById(id);

  function put(id, html, after) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const next = holder.content.firstElementChild;
    const old = byId(id);
    if (!old) {
      if (byId(after)) byId(after).after(next);
      return;
    }
    const active = document.activeElement;
    if (old.contains(active) && active.matches("input, textarea, select")) return;
    const focused = old.contains(active) ? active.id : "";
    if (old.open) next.open = true;
    for (const opened of old.querySelectorAll("details[open][id]")) {
      const same = next.querySelector("#" + CSS.escape(opened.id));
      if (same) same.open = true;
    }
    const swap = () => {
      old.replaceWith(next);
      if (focused && byId(focused)) byId(focused).focus({ preventScroll: true });
    };
    const image = next.querySelector("img");
    if (!image) return swap();
    const loaded = new Image();
    loaded.onload = loaded.onerror = swap;
    loaded.src = image.src;
  }

  const source = new EventSource(live.dataset.live);
  source.addEventListener("parts", (event) => {
    for (const [id, html, after] of JSON.parse(event.data)) put(id, html, after);
  });
  source.addEventListener("status", (event) => {
    if (said) said.textContent = JSON.parse(event.data);
  });
  source.addEventListener("end", () => source.close());
  document.documentElement.classList.add("live");
})();
"""
