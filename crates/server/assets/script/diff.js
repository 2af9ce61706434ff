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

document.addEventListener("change", (event) => {
  const key = event.target.dataset.seen;
  if (!key) return;
  const others = seenKeys().filter((other) => other !== key);
  localStorage[SEEN] = JSON.stringify(event.target.checked ? [...others, key].slice(-SEEN_MAX) : others);
  showSeen();
});

/** Sets the marks, and repeats them in the tree. A key holds the content's hash: new content is unseen. */
function showSeen() {
  const keys = new Set(seenKeys());
  for (const box of document.querySelectorAll("[data-seen]")) {
    box.checked = keys.has(box.dataset.seen);
    const link = document.querySelector(`.diff-entry a[href="#${box.closest(".file").id}"]`);
    link?.parentElement.classList.toggle("is-seen", box.checked);
  }
}

document.addEventListener("page-changed", showSeen);
