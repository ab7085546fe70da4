// allauth tells a passkey that did not come about to the console alone; the page tells it here.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const told = document.getElementById("passkey_failed");
  told.hidden = false;
  told.scrollIntoView({ block: "nearest" });
});

// At the log-in a code can be typed at once: allauth's field does not have the focus by itself.
document.querySelector(".login #content [name=code]")?.focus();
