// Choices of the reader that the server must know to render: the theme, and unified or side by side. They
// are cookies with a word in them. `data-keep="view=split"` stands on a link that shows it, and
// `data-keep="theme=dark"` on a button.

const KEEP_SECONDS = 365 * 24 * 60 * 60;

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-keep]");
  if (!button) return;
  const [name, word] = button.dataset.keep.split("=");
  if (name === "view") keepTicks(button.closest("form"));
  document.cookie = `ctxpin-${name}=${word}; path=/; max-age=${KEEP_SECONDS}; samesite=strict`;
  if (name === "theme") showTheme(word);
});

const TICKS = "ctxpin-ticks";

/** Keeps what is ticked for the page in the other layout. */
function keepTicks(form) {
  const ticked = form ? boxesOf(form).filter((box) => box.checked).map((box) => box.value) : [];
  sessionStorage[TICKS] = JSON.stringify([location.pathname, ...ticked]);
}

/** Ticks what was ticked before the layout changed. */
function restoreTicks() {
  const [path, ...ticked] = JSON.parse(sessionStorage[TICKS] ?? "[]");
  delete sessionStorage[TICKS];
  if (path !== location.pathname) return;
  for (const box of document.querySelectorAll(".decision input[type=checkbox][name]")) {
    if (ticked.includes(box.value)) box.checked = true;
  }
}

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll('[data-keep^="theme="]')) {
    button.setAttribute("aria-pressed", button.dataset.keep === `theme=${theme}`);
  }
}
