// Keeps a page live: while somebody looks at it, it is fetched again, and what is marked data-live
// is put in place. Without this file everything works, and the page is as old as its loading.
"use strict";

(() => {
  // Milliseconds between an answer and the next question; where only the banner is live, longer.
  const EVERY = document.querySelector("[data-live]:not(#sending)") ? 1500 : 15000;
  const PATIENCE = 10000; // milliseconds until an answer is given up
  const parts = () => document.querySelectorAll("[data-live]");
  let misses = 0;

  // Which element of a part has the focus, so that replacing it does not lose the place.
  const focusable = (part) => [...part.querySelectorAll("a[href], button, input, select, summary, [tabindex]")];

  function replace(old, fresh) {
    if (old.outerHTML === fresh.outerHTML) return;
    const place = focusable(old).indexOf(document.activeElement);
    const opened = [...old.querySelectorAll("details[open][id]")].map((details) => details.id);
    for (const id of opened) fresh.querySelector(`#${id}`)?.setAttribute("open", "");
    old.replaceWith(fresh);
    if (place >= 0) focusable(fresh)[place]?.focus({ preventScroll: true });
  }

  // A screen reader is told what changed in words, and only when the words change.
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
