// Choices of the reader that the server must know to render: the theme, and unified or side by side. They
// are cookies with a word in them. `data-keep="view=split"` stands on a link that shows it, and
// `data-keep="theme=dark"` on a button. What somebody typed is kept in the tab.

const KEEP_SECONDS = 365 * 24 * 60 * 60;

document.addEventListener("click", (event) => {
  // The page shows what is so now, with the choices that are still possible.
  if (event.target.closest("[data-again]")) keepTyped();
  const button = event.target.closest("[data-keep]");
  if (!button) return;
  const [name, word] = button.dataset.keep.split("=");
  if (name === "view") keepTyped();
  document.cookie = `ctxpin-${name}=${word}; path=/; max-age=${KEEP_SECONDS}; samesite=strict`;
  if (name === "theme") showTheme(word);
});

const TYPED = "ctxpin-typed";
const KEPT = "What you typed is here again.";

/** Returns the id of the signed-in user, which ends the value of the page. */
function userId() {
  return document.querySelector("meta[name=ctxpin-page]")?.content.split(".")[1];
}

/** Returns what somebody typed or ticked, and what the page had before: `[key, field, member, before]`. */
function typedFields() {
  return [...document.querySelectorAll("form[data-write]")]
    .flatMap((form) => [...form.elements])
    .filter((field) => field.name && field.matches("input:not([type=hidden]), select"))
    .map((field) => {
      const place = [field.form.getAttribute("action"), field.name];
      return isField(field)
        ? [place.join(), field, "value", field.defaultValue]
        : [[...place, field.value].join(), field, "checked", field.defaultChecked];
    });
}

/** Keeps what was typed for the same page and user, after another layout, a reload, or a new sign-in. */
function keepTyped(words) {
  const changed = typedFields().filter(([, field, member, before]) => field[member] !== before);
  const typed = Object.fromEntries(changed.map(([key, field, member]) => [key, field[member]]));
  sessionStorage[TYPED] = JSON.stringify({ user: userId(), path: location.pathname, typed, words });
}

/** Fills the page with what was typed before. Another user finds nothing of it. */
function restoreTyped() {
  const { user, path, typed, words } = JSON.parse(sessionStorage[TYPED] ?? "{}");
  const isOther = user !== userId();
  // The page that signs in has no user, and others of the same user are on the way.
  if (!userId() || (!isOther && path !== location.pathname)) return;
  delete sessionStorage[TYPED];
  if (isOther) return;
  let isFilled = false;
  for (const [key, field, member] of typedFields()) {
    if (!(key in typed) || field[member] === typed[key]) continue;
    field[member] = typed[key];
    field.closest("details:not([open])")?.setAttribute("open", "");
    isFilled = true;
  }
  if (words && isFilled) showSentence(words);
}

// Who signs out leaves nothing.
document.addEventListener("submit", ({ target }) => {
  if (target.matches("[action='/sign-out']")) delete sessionStorage[TYPED];
});

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll('[data-keep^="theme="]')) {
    button.setAttribute("aria-pressed", button.dataset.keep === `theme=${theme}`);
  }
}
