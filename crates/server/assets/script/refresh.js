// On news the page fetches itself once and changes what differs.

/** News of one push come in a burst. The page waits for its end. */
const NEWS_SETTLE_MS = 60;

/** The least time between two fetches because of news. */
const REFRESH_EVERY_MS = 500;

/** The answer of a `ctxpin up` to the page of an earlier one, which had another address. */
const GONE = 421;

/** Says that the page has no server any more. It stays as it is, with what somebody typed. */
function pageEnds() {
  if (stream.state === "over") return;
  streamEnds("session ended");
  const words = "The `ctxpin up` of this page has ended. Copy what you typed, and run `ctxpin open` for a new page.";
  showSentence(words, { failed: true });
}

const DELETED = "Somebody deleted it while this page was open. What you typed or ticked here decides nothing any more.";

/**
 * Says on the page of a problem that what the page was about was deleted. Nobody loses the sight of their own objects in
 * another way: only those have `data-gone`, with their name.
 */
function nameDeleted(page) {
  const name = document.querySelector("[data-gone]")?.dataset.gone;
  const reason = page.querySelector(".state p");
  if (!name || !/ no such (chat|workspace)\.$/.test(reason?.textContent)) return;
  page.title = `“${name}” was deleted`;
  page.querySelector("h1").textContent = page.title;
  reason.textContent = DELETED;
}

/** How long a changed row shows its edge. */
const NEWS_MS = 2_000;

let refreshTimer = 0;
/** The news to which a planned refresh brings the page: `{ mark }`. Without a mark nobody knows. */
let wanted;
let refreshedAt = -Infinity;
let refreshing;
let held = [];

/**
 * Plans a refresh because of news. One that is planned already will see these news too.
 *
 * `mark`: a page that was read at this mark, for example after a write of the reader, has the news already.
 */
function refreshSoon(mark) {
  wanted = { mark: wanted && wanted.mark === undefined ? undefined : mark };
  if (refreshTimer) return;
  const wait = Math.max(NEWS_SETTLE_MS, refreshedAt + REFRESH_EVERY_MS - performance.now());
  refreshTimer = setTimeout(async () => {
    // The answer to a write of the reader brings these news too.
    while (refreshing || writing) await (refreshing ?? writing);
    refreshTimer = 0;
    const { mark } = wanted;
    wanted = undefined;
    if (!hasSeen(mark)) refresh();
  }, wait);
}

/** Returns whether the page was read at this mark of the news. */
function hasSeen(mark) {
  return mark !== undefined && mark === document.body.dataset.mark;
}

/**
 * Fetches the page and changes what differs.
 *
 * `asked`: the reader did something, so rows may come and go under the pointer.
 */
async function refresh({ asked = false } = {}) {
  // What the reader asked for must be in an answer that began after the write.
  while (refreshing) await refreshing;
  refreshedAt = performance.now();
  refreshing = refreshOnce(asked)
    .catch(() => {
      // The stream tells that the server is gone, and its return brings the next refresh.
    })
    .finally(() => {
      refreshing = undefined;
    });
  await refreshing;
}

async function refreshOnce(asked) {
  const response = await fetch(location.href, {
    headers: { accept: "text/html" },
    cache: "no-cache",
    signal: AbortSignal.timeout(NEWS_ANSWER_MS),
  });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (response.status === 401 || new URL(response.url).pathname === "/sign-in") {
    streamEnds("signed out");
    hold([{ words: "Signed out", reload: true }]);
    return;
  }
  if (response.status === GONE) {
    pageEnds();
    return;
  }
  // A proxy's error page is none of ours. An error page of ours says what has happened to this object.
  if (!page.getElementById("main")) return;
  if (assetsOf(page) !== assetsOf(document)) {
    hold([{ words: "ctxpin was upgraded", reload: true }]);
    return;
  }
  if (!response.ok) nameDeleted(page);
  const holds = [];
  const how = asked ? {} : { holds, news: showNews };
  const before = sayable();
  const ticks = countTicks();
  guardPointer(() => {
    for (const id of ["main", "places"]) {
      const [old, fresh] = [document, page].map((one) => one.getElementById(id));
      if (fresh) morph(old, asked ? fresh : withPartsInUse(old, fresh, holds), how);
    }
  });
  // What stands beside the content must not outlive it either.
  if (!response.ok) for (const rest of document.querySelectorAll("dialog:not(#keys), .toast")) rest.remove();
  if (!asked && sayable() !== before) say(sayable());
  if (!asked && countTicks() < ticks) sayDropped();
  document.title = page.title;
  // A page that says that something is gone listens to nothing.
  if (page.body.dataset.watch === undefined) delete document.body.dataset.watch;
  else document.body.dataset.watch = page.body.dataset.watch;
  document.body.dataset.mark = page.body.dataset.mark ?? "";
  hold(holds);
  endStaleToasts();
  document.dispatchEvent(new Event("page-changed"));
}

/** Returns the sentence that sums the page up. It is said when news change it. */
function sayable() {
  return document.querySelector("main [data-say]")?.textContent ?? "";
}

function assetsOf(page) {
  return Array.from(page.querySelectorAll("head [data-asset]"), (node) =>
    node.getAttribute("src") ?? node.getAttribute("href"),
  ).join();
}

/** Offers what waits: "3 new, show". It replaces what waited before. */
function hold(holds) {
  held = holds;
  const button = document.getElementById("held");
  const words = [...new Set(holds.map((one) => one.words))].join("; ");
  const verb = holds.some((one) => one.reload) ? "reload" : "show";
  const offer = holds.length > 0 ? `${words}, ${verb}` : "";
  if (button.textContent === offer) return;
  button.hidden = offer === "";
  button.textContent = offer;
  if (offer) say(`${words}.`);
}

function showHeld() {
  if (held.some((one) => one.reload)) {
    keepTyped(KEPT);
    location.reload();
    return;
  }
  const showing = held;
  guardPointer(() => {
    hold([]);
    for (const { old, fresh } of showing) {
      // The element takes the new content although it says that it holds.
      old.dataset.version = "";
      morph(old, fresh, { news: showNews });
    }
  });
  document.dispatchEvent(new Event("page-changed"));
}

function showNews(row) {
  row.dataset.news = "";
  setTimeout(() => delete row.dataset.news, NEWS_MS);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#held")) showHeld();
});
