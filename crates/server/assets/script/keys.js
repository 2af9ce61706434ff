// Keys. `data-row` marks what j and k go through, which ends with the links to the other pages of a list, `data-box` on
// it the id of the box that x turns, unless that stands in the tree of a diff, and `data-keys="t"` what a letter clicks
// or, if it is a field, focuses. A letter acts on what is chosen, else in the row that has the focus, else on the page.

const KEYS_OFF = "ctxpin-keys-off";

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    leave(event.target);
    return;
  }
  // A key that is held down goes through rows, and does nothing twice.
  if (event.repeat && event.key !== "j" && event.key !== "k") return;
  // Readers who speak to their machine, or type by mistake, can turn the letters off.
  if (isField(event.target) || document.querySelector("dialog[open]") || localStorage[KEYS_OFF]) return;
  const isDone =
    event.key === "j" ? goRow(1)
    : event.key === "k" ? goRow(-1)
    : event.key === "x" ? turnBox()
    : event.key === "?" ? showKeys()
    : press(event.key);
  if (isDone) event.preventDefault();
});

function isField(element) {
  return element.matches("textarea, select, input:not([type=checkbox], [type=radio])");
}

function currentRow() {
  const focused = document.activeElement;
  return focused?.closest("[data-row]") ?? focused?.closest(".row, .file")?.querySelector("[data-row]");
}

/** Returns the elements of a selector that can be seen, and those of a row that show when it is pointed at. */
function visible(selector) {
  return [...document.querySelectorAll(selector)].filter((element) =>
    element.checkVisibility({ visibilityProperty: !element.closest(".row") }),
  );
}

function focusRow(row) {
  row.focus({ focusVisible: true, preventScroll: true });
}

function goRow(step) {
  const rows = visible("[data-row]");
  if (rows.length === 0) return false;
  const at = rows.indexOf(currentRow());
  const next = at < 0 ? (step > 0 ? firstInView(rows) : rows.length - 1) : at + step;
  const row = rows[Math.max(0, Math.min(rows.length - 1, next))];
  focusRow(row);
  // Who goes to a row of a list chooses anew.
  delete document.getElementById("selection")?.dataset.lost;
  // A file of a diff begins below the bar; a row of a list just has to be visible, with all of its lines.
  if (row.closest(".file")) row.closest(".file").scrollIntoView({ block: "start" });
  else (row.closest(".row, .lane") ?? row).scrollIntoView({ block: "nearest" });
  return true;
}

/** Returns the number of the first row that is not above the window. */
function firstInView(rows) {
  const at = rows.findIndex((row) => row.getBoundingClientRect().top >= 0);
  return at < 0 ? rows.length - 1 : at;
}

// Back keeps the place: the row from which the reader left has the focus again, and is open if it was.
document.addEventListener("click", (event) => {
  const turn = event.target.closest("details.turn");
  const row = event.target.closest("[data-row]") ?? turn?.querySelector("[data-row]");
  if (!row || event.target.closest("[data-more]")) return;
  const isOpen = row === event.target.closest("summary") ? !turn.open : Boolean(turn);
  history.replaceState({ row: nameOf(row), isOpen }, "");
});

function nameOf(row) {
  return row.getAttribute("href") ?? row.parentElement.id;
}

function returnToRow() {
  const [{ type }] = performance.getEntriesByType("navigation");
  if (type === "navigate" || !history.state?.row) return;
  const row = visible("[data-row]").find((one) => nameOf(one) === history.state.row);
  if (!row) return;
  if (history.state.isOpen) row.parentElement.open = true;
  focusRow(row);
}

/** Whether the reader works with keys and not with a pointer. */
let isByKey = false;
for (const kind of ["keydown", "pointerdown"]) {
  document.addEventListener(kind, () => {
    isByKey = kind === "keydown";
  }, { capture: true, passive: true });
}

/** The name of the row that had the focus at the last decision. */
let decidedRow;

/**
 * Returns a function that gives the focus to the present row again or, if that has gone, to the next one that is left.
 * So a list can be worked off with one key. After an undo (`isBack`), the focus goes to what came back, above all to the
 * row of the last decision. Where there are no rows, it goes to the content.
 */
function keepPlace(isBack = false) {
  const before = visible("[data-row]");
  const names = before.map(nameOf);
  const current = currentRow();
  const row = current ?? before.find(({ dataset }) => document.getElementById(dataset.box ?? "")?.checked);
  if (row && !isBack) decidedRow = nameOf(row);
  return () => {
    const main = document.getElementById("main");
    const rows = visible("[data-row]");
    const came = isBack ? rows.filter((one) => !names.includes(nameOf(one))) : [];
    const isLost = [document.body, main].includes(document.activeElement);
    if (!(isLost || came.length > 0) || !(current || isByKey)) return;
    const after = row ? before.slice(before.indexOf(row)) : [];
    const isDecided = (one) => nameOf(one) === decidedRow;
    const next = [
      came.find(isDecided),
      came[0],
      rows.find(isDecided),
      after.find((one) => rows.includes(one)),
      rows.at(row ? -1 : 0),
      main,
    ].find(Boolean);
    focusRow(next);
  };
}

function showKeys() {
  document.getElementById("keys").showModal();
  return true;
}

function turnBox() {
  const row = currentRow();
  const file = row?.closest(".file");
  const box = file ? treeLine(file)?.querySelector("input") : document.getElementById(row?.dataset.box ?? "");
  box?.click();
  return Boolean(box);
}

/** What had the focus before a key gave it to a field. */
let focusedBefore;

/**
 * Clicks or focuses what a key stands for. Of several on the page the last one, as a toast is. Where the row has a box
 * alone, *Take* chooses it first, or says why it cannot.
 */
function press(key) {
  if (key === "t" && document.querySelector("form[data-lost]")) {
    showSentence(LOST);
    return true;
  }
  const targets = visible(`[data-keys="${CSS.escape(key)}"]`);
  const row = document.activeElement?.closest(".row");
  const target =
    targets.find((one) => one.closest("[data-chosen=some]")) ??
    targets.find((one) => row?.contains(one)) ??
    (key === "t" ? takeOfRow(row) : undefined) ??
    targets.findLast((one) => !one.closest(".row"));
  if (!target) return Boolean(row && key === "t");
  if (isField(target)) {
    focusedBefore = document.activeElement;
    target.focus();
    target.select();
  } else {
    target.click();
  }
  return true;
}

/** Returns the button that takes for a row without one, whose box is ticked for it. Nothing, if the row says why not. */
function takeOfRow(row) {
  const { box, whyNot = row?.matches("[data-dropped]") && LOST } = row?.querySelector("[data-row]")?.dataset ?? {};
  if (whyNot) {
    showSentence(whyNot);
    return false;
  }
  const chosen = document.getElementById(box ?? "");
  if (!chosen) return undefined;
  chosen.checked = true;
  countChoices();
  return visible('[data-keys="t"]').find((one) => one.form === chosen.form);
}

/** Escape closes a menu or a form that opened in its place, leaves a field, and then clears the choice. */
function leave(target) {
  const inline = target.closest("details.inline[open]");
  const menu = inline ?? document.querySelector("details.menu[open]");
  if (menu) {
    inline?.querySelector("form").reset();
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (isField(target)) {
    target.blur();
    // The place in a list is kept.
    if (focusedBefore?.isConnected && focusedBefore !== document.body) focusRow(focusedBefore);
  } else {
    for (const form of document.querySelectorAll("form[data-counted]")) clearChoice(form);
  }
}

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-keys-off]")) return;
  if (event.target.checked) localStorage[KEYS_OFF] = "true";
  else localStorage.removeItem(KEYS_OFF);
});

function startKeys() {
  const box = document.querySelector("[data-keys-off]");
  if (box) box.checked = Boolean(localStorage[KEYS_OFF]);
}
