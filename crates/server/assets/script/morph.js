// Changes the page in place into a newer rendering of itself, and touches only what differs. So focus,
// selection, scroll, open sections and typed text survive, and so does every row under the pointer.
//
// An element is the same as before if it has the same name and the same key (`id` or `data-key`), or no
// key and the same place among those without one. The key of a box of a diff is its value, so that no later change of
// the same file inherits a tick.
//
//   data-version    equal versions have equal content, which is then not compared
//   data-rows       a list whose rows may wait while somebody is in it; each row has a key
//   data-hold       text with an id that is only replaced when the reader asks; its value says what has happened
//   data-last       the last decision about it, in words: if that is a new one, it is what has happened
//   data-hold-with  the id of such a text with a version, about which this element says something

/** Attributes that the reader or the script sets, never the server's next rendering. */
const KEPT_ATTRIBUTES = new Set(["open", "aria-busy", "data-news", "data-chosen", "data-waiting", "data-lost", "data-dropped", "data-fresh"]);

/** Returns what identifies an element among its siblings. `undefined` if it has no key. */
function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return undefined;
  return node.id || node.dataset.key || (node.name === "source" ? node.value : undefined);
}

/**
 * Changes an element into a newer rendering, and returns whether anything in it changed.
 *
 * `holds` collects what must not change under the reader: an array of `{ old, fresh, words }`. Without
 * it everything changes at once. `news(element)` is called for each row that changed.
 */
function morph(old, fresh, { holds, news } = {}) {
  const { version, hold, holdWith } = old.dataset;
  if (version !== undefined && version === fresh.dataset.version) return false;
  if (old.isEqualNode(fresh)) return false;
  // The script has rewritten the words of a time. The same moment in the same form is the same time.
  const isSame = old.dateTime === fresh.dateTime && old.dataset.time === fresh.dataset.time;
  if (old.matches("time[data-time]") && isSame) return false;
  const words = holds && heldWith(hold === undefined ? holdWith : old.id, fresh);
  if (words) {
    holds.push({ old, fresh, words });
    return false;
  }
  let changed = morphAttributes(old, fresh);
  const isHeld = holds && old.dataset.rows !== undefined && isInUse(old);
  changed = (isHeld ? morphRowsInPlace : morphChildren)(old, fresh, { holds, news }) || changed;
  if (changed && news && old.parentElement?.dataset.rows !== undefined) news(old);
  return changed;
}

/** Returns what has happened to the text with this id, if the page has another version of it. */
function heldWith(id, { ownerDocument }) {
  const [old, fresh] = [document, ownerDocument].map((page) => page.getElementById(id ?? ""));
  return old && fresh && old.dataset.version !== fresh.dataset.version ? (newDecision(old, fresh) ?? old.dataset.hold) : undefined;
}

/** Returns the last decision in a newer rendering, if the old one does not know it. */
function newDecision(old, { dataset: { last } }) {
  return last === old.dataset.last ? undefined : last;
}

/**
 * Returns a newer rendering of the content together with the parts of the old one that it lacks, although somebody reads
 * a text in them or has chosen something. They stay as they are until the reader asks, and decide nothing.
 */
function withPartsInUse(old, fresh, holds) {
  const isGone = ({ id }) => !fresh.querySelector(`#${id}`);
  const forms = [...old.querySelectorAll("form[data-counted]")].filter(isGone);
  const chosen = forms.filter((form) => form.dataset.chosen === "some");
  const text = [...old.querySelectorAll("[data-hold]")].find(isGone);
  const used = [text, ...chosen, ...chosen.flatMap(boxesOf).filter((box) => box.checked)];
  const children = [...old.children];
  const parts = children.filter((child) => used.some((one) => one && child.contains(one)));
  // The page of a problem listens to nothing, and takes everything away: the reader may not see it any more.
  if (parts.length === 0 || fresh.ownerDocument.body.dataset.watch === undefined) return fresh;
  const last = text && fresh.querySelector("[data-last]");
  const title = fresh.querySelector(".state h2") ?? fresh.querySelector("h1");
  const words = (last && newDecision(text, last)) ?? title.textContent;
  holds.push({ old, fresh, words: chosen.length > 0 ? `${words}; your ticks decide nothing now` : words });
  for (const form of forms) form.dataset.lost = "";
  const both = fresh.cloneNode(true);
  both.querySelector(".state")?.remove();
  for (const part of parts) {
    const at = children.indexOf(part);
    part.dataset.key ??= `kept-${at}`;
    both.insertBefore(part.cloneNode(true), both.children[at] ?? null);
  }
  return both;
}

function morphAttributes(old, fresh) {
  let changed = false;
  const isTick = old.type === "checkbox" && old.checked;
  for (const { name, value } of fresh.attributes) {
    if (KEPT_ATTRIBUTES.has(name) || old.getAttribute(name) === value) continue;
    // A tick is about what was seen, and never goes over to something newer.
    if (isTick && name === "value" && !dropTick(old, value)) continue;
    old.setAttribute(name, value);
    changed = true;
  }
  for (const { name } of [...old.attributes]) {
    if (KEPT_ATTRIBUTES.has(name) || fresh.hasAttribute(name)) continue;
    old.removeAttribute(name);
    changed = true;
  }
  return changed;
}

function morphChildren(old, fresh, how) {
  let changed = false;
  const wantedKeys = new Set(Array.from(fresh.children, keyOf));
  const byKey = new Map();
  for (const child of [...old.children]) {
    const key = keyOf(child);
    if (key === undefined) continue;
    // What is gone goes first, so that the others need not move.
    if (wantedKeys.has(key)) {
      byKey.set(key, child);
    } else {
      child.remove();
      changed = true;
    }
  }
  // The first of the old children that has no place yet.
  let next = old.firstChild;
  for (const wanted of fresh.childNodes) {
    const key = keyOf(wanted);
    const found = key === undefined ? firstAlike(next, wanted) : byKey.get(key);
    if (!found || found.nodeName !== wanted.nodeName) {
      const made = document.importNode(wanted, true);
      old.insertBefore(made, next);
      changed = true;
      if (how.news && key !== undefined && old.dataset.rows !== undefined) how.news(made);
      continue;
    }
    while (next !== found && next && keyOf(next) === undefined) {
      next = removeAndGoOn(next);
      changed = true;
    }
    if (next === found) next = next.nextSibling;
    else moveBefore(old, found, next);
    if (found.nodeType === Node.ELEMENT_NODE) {
      changed = morph(found, wanted, how) || changed;
    } else if (found.data !== wanted.data) {
      found.data = wanted.data;
      changed = true;
    }
  }
  while (next) {
    next = removeAndGoOn(next);
    changed = true;
  }
  return changed;
}

function removeAndGoOn(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

/** Returns the first sibling without a key that has the same name, up to the next one with a key. */
function firstAlike(from, wanted) {
  for (let node = from; node && keyOf(node) === undefined; node = node.nextSibling) {
    if (node.nodeName === wanted.nodeName) return node;
  }
  return undefined;
}

/** Moves a child. Where the browser can, it keeps focus and scroll. */
function moveBefore(parent, child, next) {
  if (parent.moveBefore) parent.moveBefore(child, next);
  else parent.insertBefore(child, next);
}

/** Changes the rows that both have. New ones wait, and those that are gone are marked, not removed. */
function morphRowsInPlace(old, fresh, how) {
  const freshByKey = new Map(Array.from(fresh.children, (row) => [keyOf(row), row]));
  const oldKeys = new Set();
  let gone = 0;
  for (const row of old.children) {
    const key = keyOf(row);
    oldKeys.add(key);
    const wanted = freshByKey.get(key);
    row.classList.toggle("is-gone", !wanted);
    if (wanted) morph(row, wanted, how);
    else gone += 1;
  }
  const added = [...freshByKey.keys()].filter((key) => !oldKeys.has(key)).length;
  const order = Array.from(old.children, keyOf).join() === [...freshByKey.keys()].join();
  const words = [added && `${added} new`, gone && `${gone} gone`].filter(Boolean).join(", ");
  if (!order) how.holds.push({ old, fresh, words: words || "Another order" });
  // Each row shows its own news, and the list is none.
  return false;
}

/** Returns whether somebody points at a list, is in it, or has chosen some of it. */
function isInUse(list) {
  return list.matches(":hover, :focus-within") || list.querySelector("input:checked") !== null;
}
