// Keeps a page live: while somebody looks at the page, the script fetches it again and puts the parts
// that are marked data-live in place. Without the script the page shows what it showed when it loaded.
"use strict";

(() => {
  // Milliseconds from an answer to the next request; more where nothing but the banner is live.
  const EVERY = document.querySelector("[data-live]:not(#sending)") ? 1500 : 15000;
  const PATIENCE = 10000; // milliseconds that a request may take
  const parts = () => document.querySelectorAll("[data-live]");
  let misses = 0;

  // The elements of a part that may have the focus: the fresh part gets it at the same place.
  const focusable = (part) => [...part.querySelectorAll("a[href], button, input, select, summary, [tabindex]")];

  function replace(old, fresh) {
    if (old.outerHTML === fresh.outerHTML) return;
    const place = focusable(old).indexOf(document.activeElement);
    const opened = [...old.querySelectorAll("details[open][id]")].map((details) => details.id);
    for (const id of opened) fresh.querySelector(`#${id}`)?.setAttribute("open", "");
    old.replaceWith(fresh);
    if (place >= 0) focusable(fresh)[place]?.focus({ preventScroll: true });
  }

  // A screen reader says what is marked data-announce, and only when its words change.
  function announce(page) {
    for (const said of document.querySelectorAll("[data-announce]")) {
      const now = page.getElementById(said.id)?.textContent;
      if (now && now !== said.textContent) said.textContent = now;
    }
  }

  async function refresh() {
    const answer = await fetch(location.href, {
      headers: { "X-Live": "1" },
      credentials: "same-origin",
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of parts()) {
      const fresh = page.getElementById(old.id);
      if (fresh) replace(old, document.adoptNode(fresh));
    }
    announce(page);
  }

  async function turn() {
    if (document.visibilityState === "visible") {
      try {
        await refresh();
        misses = 0;
      } catch {
        misses += 1;
      }
      // Old numbers must not look like new ones.
      document.documentElement.toggleAttribute("data-stale", misses > 1);
    }
    setTimeout(turn, EVERY * Math.min(1 + misses, 10));
  }

  if (parts().length) setTimeout(turn, EVERY);
})();
