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
 * Shows a toast in the place of the one before, and says its sentence. It stays until the reader does the next
 * thing, closes it or leaves the page: nobody knows how long somebody needs to see a mistake.
 */
function showToast(toast) {
  endToasts();
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

/** Removes the toasts of what was done before, or a part of them. */
function endToasts(which = ".toast") {
  for (const part of document.querySelectorAll(which)) part.remove();
}

/** Removes the toasts that would undo a move of a pin that has moved since. */
function endStaleToasts() {
  const pin = document.querySelector("[data-pin]")?.dataset.pin;
  for (const field of document.querySelectorAll(".toast [name=pin]")) {
    if (pin && field.value !== pin) field.closest(".toast").remove();
  }
}

/** Shows a sentence of the page itself, and returns what shows it. One that asks for nothing goes by itself. */
function showSentence(sentence, { failed = false, stays = failed, lost = false } = {}) {
  // What the reader can still undo, or has to close, is of more use than what the page says by itself: that stands in it.
  const standing = document.querySelector(stays ? ".toast:has(form) p" : ".toast:has(button) p");
  const shown = document.createElement(standing ? "span" : "div");
  if (lost) shown.dataset.lost = "";
  if (standing) {
    shown.className = failed ? "aside is-wrong" : "aside";
    shown.textContent = sentence;
    endToasts(".toast .aside");
    standing.append(shown);
    say(sentence, { asked: true });
  } else {
    shown.className = failed ? "toast failed" : "toast";
    const text = document.createElement("p");
    text.textContent = sentence;
    shown.append(text);
    if (stays) {
      const close = document.createElement("button");
      close.type = "button";
      close.dataset.close = "";
      close.textContent = "Close";
      shown.append(close);
    }
    showToast(shown);
  }
  if (!stays) setTimeout(() => shown.remove(), SENTENCE_MS);
  return shown;
}

document.addEventListener("click", (event) => {
  const toast = event.target.closest("[data-close]")?.closest(".toast");
  if (!toast) return;
  const goBack = keepPlace();
  toast.remove();
  goBack();
});
