// allauth tells a passkey that did not come about to the console alone; the page tells it here.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const told = document.getElementById("passkey_failed");
  told.hidden = false;
  told.scrollIntoView({ block: "nearest" });
});

// At the door a code is typed at once; allauth's field does not ask for the focus.
document.querySelector(".login #content [name=code]")?.focus();
