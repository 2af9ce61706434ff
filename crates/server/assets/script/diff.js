// A diff: more context on demand, and which files were seen.

/** The number of marks that a browser keeps. */
const SEEN_MAX = 500;
const SEEN = "ctxpin-seen";

// A link with `data-more` is replaced by what it leads to. Without the script it leads to the page with
// all of the file.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-more]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const place = link.closest("tr") ?? link;
  place.setAttribute("aria-busy", "true");
  const headers = { accept: "text/html", "ctxpin-fragment": "true" };
  const response = await ask(link.href, { headers }).catch(() => undefined);
  if (!response) {
    // The page that somebody reads must not give way to one of the browser.
    place.removeAttribute("aria-busy");
    showSentence(SILENT, { failed: true, lost: true });
    return;
  }
  if (!response.ok) {
    location.assign(link.href);
    return;
  }
  const answer = new DOMParser().parseFromString(await response.text(), "text/html");
  const parts = answer.querySelectorAll(place.matches("tr") ? "tr" : "body > *");
  place.replaceWith(...parts);
});

// What opens loads what it holds. Such an event does not bubble.
const HELD = ":scope > [data-version] > a[data-more], :scope.folded > a[data-more]";
document.addEventListener("toggle", (event) => {
  if (event.target.open) event.target.querySelector(HELD)?.click();
}, true);

// What is open and has changed loads what it holds now.
document.addEventListener("page-changed", () => {
  for (const link of document.querySelectorAll("details[open] > [data-version] > a[data-more]")) link.click();
});

function seenKeys() {
  return JSON.parse(localStorage[SEEN] ?? "[]");
}

/** Returns the line of the tree about a file. */
function treeLine({ id }) {
  return document.querySelector(`.diff-entry[data-key="${id}"]`);
}

/** Returns the id of the change that a mark is about. The box that chooses it has this id too. */
function seenKey(mark) {
  return mark.dataset.seen || treeLine(mark.closest(".file")).querySelector("input").value.split(" ")[0];
}

document.addEventListener("change", ({ target }) => {
  if (target.dataset.seen === undefined) return;
  const key = seenKey(target);
  const others = seenKeys().filter((other) => other !== key);
  localStorage[SEEN] = JSON.stringify(target.checked ? [...others, key].slice(-SEEN_MAX) : others);
  showSeen();
});

/** Sets the marks, and repeats them in the tree. A later change of the same file is unseen. */
function showSeen() {
  const keys = new Set(seenKeys());
  for (const mark of document.querySelectorAll("[data-seen]")) {
    mark.checked = keys.has(seenKey(mark));
    treeLine(mark.closest(".file"))?.classList.toggle("is-seen", mark.checked);
  }
}

document.addEventListener("page-changed", showSeen);
