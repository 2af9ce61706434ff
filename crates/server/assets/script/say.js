// What the page says: one polite live region for readers of the screen, and toasts for what was done.

/** The least time between two sentences in the live region. */
const SAY_EVERY_MS = 5_000;

/** How long a toast stays. One that failed stays until it is closed. */
const TOAST_MS = 10_000;

let saidAt = -SAY_EVERY_MS;
let sayTimer = 0;

/** Says a sentence. Of several within five seconds the last one is said. */
function say(sentence) {
  clearTimeout(sayTimer);
  const wait = Math.max(0, saidAt + SAY_EVERY_MS - performance.now());
  sayTimer = setTimeout(() => {
    saidAt = performance.now();
    document.getElementById("says").textContent = sentence;
  }, wait);
}

/** Shows a toast that the server wrote, and says its sentence. */
function showToast(toast) {
  const toasts = document.getElementById("toasts");
  // An undo belongs to the latest write alone: two of them would not tell which is which.
  for (const older of toasts.querySelectorAll(".toast:not(.failed)")) older.remove();
  toasts.append(toast);
  say(toast.querySelector("p").textContent);
  if (!toast.matches(".failed")) endToast(toast, TOAST_MS);
}

/** Shows a sentence of the page itself as a toast. */
function showSentence(sentence, { failed = false, stay = TOAST_MS } = {}) {
  const toast = document.createElement("div");
  toast.className = failed ? "toast failed" : "toast";
  const text = document.createElement("p");
  text.textContent = sentence;
  toast.append(text);
  if (failed) {
    const close = document.createElement("button");
    close.type = "button";
    close.dataset.close = "";
    close.textContent = "Close";
    toast.append(close);
  }
  showToast(toast);
  if (!failed && stay !== TOAST_MS) endToast(toast, stay);
}

/** Removes a toast after a time, but not while somebody points at it or is in it. */
function endToast(toast, after) {
  setTimeout(() => {
    if (toast.matches(":hover, :focus-within")) endToast(toast, 1_000);
    else toast.remove();
  }, after);
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-close]")?.closest(".toast").remove();
});
