// What the page says: one polite live region for readers of the screen, and toasts for what was done.

/** The least time between two sentences in the live region. */
const SAY_EVERY_MS = 5_000;

/** How long a sentence of the page itself stays. */
const SENTENCE_MS = 3_000;

const SILENT = "The server did not answer. Once it does, this page shows what holds: do it again if it was not done.";

let saidAt = -SAY_EVERY_MS;
let sayTimer = 0;

/**
 * Says a sentence. Of several within five seconds the last one is said.
 *
 * `asked`: the reader did something, and waits for the sentence.
 */
function say(sentence, { asked = false } = {}) {
  clearTimeout(sayTimer);
  const wait = asked ? 0 : Math.max(0, saidAt + SAY_EVERY_MS - performance.now());
  sayTimer = setTimeout(() => {
    saidAt = performance.now();
    document.getElementById("says").textContent = sentence;
  }, wait);
}

/**
 * Shows a toast in the place of those that it ends, and says its sentence. It stays until the reader does the next
 * thing, closes it or leaves the page: nobody knows how long somebody needs to see a mistake.
 */
function showToast(toast, ends) {
  endToasts(ends);
  document.getElementById("toasts").append(toast);
  say(toast.querySelector("p").textContent, { asked: true });
}

// The page below the toasts begins, or ends, where they do. No element has a style of its own, which hostile content
// could have too.
const measures = new CSSStyleSheet();
document.adoptedStyleSheets.push(measures);
new ResizeObserver(([toasts]) => {
  measures.replaceSync(`:root { --toasts: ${toasts.contentRect.height}px }`);
}).observe(document.getElementById("toasts"));

/** Removes the toasts of what was done before. */
function endToasts(which = ".toast") {
  for (const toast of document.querySelectorAll(which)) toast.remove();
}

/** Removes the toasts that would undo a move of a pin that has moved since. */
function endStaleToasts() {
  const pin = document.querySelector("[data-pin]")?.dataset.pin;
  for (const field of document.querySelectorAll(".toast [name=pin]")) {
    if (pin && field.value !== pin) field.closest(".toast").remove();
  }
}

/** Shows a sentence of the page itself, and returns its toast. One that asks for nothing goes by itself. */
function showSentence(sentence, { failed = false, stays = failed, lost = false } = {}) {
  const toast = document.createElement("div");
  toast.className = failed ? "toast failed" : "toast";
  if (lost) toast.dataset.lost = "";
  const text = document.createElement("p");
  text.textContent = sentence;
  toast.append(text);
  if (stays) {
    const close = document.createElement("button");
    close.type = "button";
    close.dataset.close = "";
    close.textContent = "Close";
    toast.append(close);
  }
  // What the reader can still undo is of more use than what the page says by itself.
  showToast(toast, stays ? ".toast:not(:has(form))" : ".toast:not(:has(button))");
  if (!stays) setTimeout(() => toast.remove(), SENTENCE_MS);
  return toast;
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-close]")?.closest(".toast").remove();
});
