// A click is meant for what the reader saw. When the page changes, another button may come under the pointer that
// rests there, and the second click of a double click must not press it.

/** How long a button that came under the pointer does nothing. A double click takes half of that. */
const GUARD_MS = 1_000;

/** From this way on, in pixels, the pointer has moved off. A hand that clicks twice shakes less. */
const MOVED_OFF_PX = 16;

/** Where the pointer is, and what it must not press: `{ x, y, until }`. */
let pointer;
let guarded;

for (const kind of ["pointermove", "pointerdown"]) {
  document.addEventListener(kind, ({ clientX: x, clientY: y }) => {
    pointer = { x, y };
    if (guarded && wayTo(guarded) > MOVED_OFF_PX) guarded = undefined;
  }, { capture: true, passive: true });
}

function wayTo({ x, y }) {
  return Math.hypot(pointer.x - x, pointer.y - y);
}

/** Returns what a click at the pointer would do. Two equal answers are the same wish. */
function deedUnderPointer() {
  const control = pointer && document.elementFromPoint(pointer.x, pointer.y)?.closest("a, button, summary, label, input, select");
  if (!control) return "";
  const { form, type } = control;
  const sent = type === "submit" && form ? new URLSearchParams(new FormData(form, control)) : "";
  return [control.textContent, control.href ?? control.formAction ?? control.id, sent].join("\n");
}

/** Changes the page, and guards what comes under the pointer by it. */
function guardPointer(change) {
  const before = deedUnderPointer();
  const changed = change();
  const after = deedUnderPointer();
  if (after && after !== before) guarded = { ...pointer, until: performance.now() + GUARD_MS };
  return changed;
}

// A click of the keyboard has no place, and its `detail` is 0.
window.addEventListener("click", (event) => {
  if (!guarded || event.detail === 0 || performance.now() >= guarded.until) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

// A key that is held down presses a button once.
document.addEventListener("keydown", (event) => {
  const presses = event.key === "Enter" || event.key === " ";
  if (event.repeat && presses && event.target.matches("button, summary, a")) event.preventDefault();
}, { capture: true });
