// Choices of the reader that the server must know to render: the theme, and unified or side by side. They
// are cookies with a word in them. `data-keep="view=split"` stands on a link that shows it, and
// `data-keep="theme=dark"` on a button.

const KEEP_SECONDS = 365 * 24 * 60 * 60;

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-keep]");
  if (!button) return;
  const [name, word] = button.dataset.keep.split("=");
  document.cookie = `ctxpin-${name}=${word}; path=/; max-age=${KEEP_SECONDS}; samesite=strict`;
  if (name === "theme") showTheme(word);
});

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll('[data-keep^="theme="]')) {
    button.setAttribute("aria-pressed", button.dataset.keep === `theme=${theme}`);
  }
}
