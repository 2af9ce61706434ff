// Choosing rows and sources: shift-click takes a range, and buttons say how many are chosen. A form with
// `data-counted` gets `data-chosen`, `none` or `some`; the style shows `data-if="some"` accordingly. It also gets
// `data-waiting`, which says whether one of the chosen has something to decide (`data-waits`), and `data-lost`, if what
// was chosen is not so any more.

let lastBox;

const DROPPED = "What you chose has changed since, or is gone, so it is chosen no more. Look again, and choose anew.";

const LOST = "This has changed since you chose, so nothing is taken. Look again, or choose anew.";

/** Returns the boxes that a form sends, also those elsewhere on the page that name it. */
function boxesOf(form) {
  return [...form.elements].filter((box) => box.type === "checkbox" && box.name);
}

document.addEventListener("click", (event) => {
  const box = event.target;
  if (!box.matches?.("input[type=checkbox][name]") || !box.form) return;
  if (event.shiftKey && lastBox?.form === box.form && lastBox.isConnected) {
    const boxes = boxesOf(box.form);
    const [from, to] = [boxes.indexOf(lastBox), boxes.indexOf(box)].sort((a, b) => a - b);
    for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
  }
  lastBox = box;
});

document.addEventListener("change", ({ target }) => {
  target.closest("[data-dropped]")?.removeAttribute("data-dropped");
  if (target.dataset.fresh && !target.checked) target.value = target.dataset.fresh;
  if (target.matches("[type=checkbox][name]")) delete target.form?.dataset.lost;
  countChoices();
});

/**
 * Takes the tick away of what has changed since, and says so. Returns whether the box takes its newer value. One with
 * `data-holds` keeps tick and value, because the server compares them with what it has.
 */
function dropTick(box, fresh) {
  if (box.dataset.holds !== undefined) {
    box.dataset.fresh = fresh;
    return false;
  }
  box.checked = false;
  box.closest(".row")?.setAttribute("data-dropped", "");
  sayDropped();
  return true;
}

/** Returns how many boxes of the content have a tick. */
function countTicks() {
  return document.querySelectorAll("#main input[type=checkbox][name]:checked").length;
}

/** Says that what was chosen is chosen no more. */
function sayDropped() {
  if (document.querySelector("#toasts [data-dropped]")) return;
  showSentence(DROPPED, { stays: true }).dataset.dropped = "";
}

/**
 * Lets a form do nothing until the reader looks again or chooses anew. Otherwise the button for all would stand in the
 * place of that for the chosen, and take what nobody has chosen. What a row does is chosen in the list.
 */
function disarm(form) {
  const list = form.closest(".toast") ? undefined : document.getElementById("selection");
  const chosen = form.matches("[data-counted]") ? form : list;
  if (chosen) chosen.dataset.lost = "";
}

/** Writes the numbers into the words of the buttons: `data-words="Take {n} of {all}"`. */
function countChoices() {
  for (const form of document.querySelectorAll("form[data-counted]")) {
    const boxes = boxesOf(form);
    const chosen = boxes.filter((box) => box.checked).length;
    form.dataset.chosen = chosen > 0 ? "some" : "none";
    form.dataset.waiting = boxes.some((box) => box.checked && box.dataset.waits !== undefined) ? "some" : "none";
    for (const place of form.querySelectorAll("[data-words]")) {
      const words = place.dataset.words.replace("{n}", chosen).replace("{all}", boxes.length);
      if (place.textContent !== words) place.textContent = words;
    }
    for (const button of form.querySelectorAll("[type=submit]")) button.disabled = "lost" in form.dataset;
  }
}

/** Clears the choice of a form. */
function clearChoice(form) {
  for (const box of boxesOf(form)) box.checked = false;
  if (form.id === "selection") delete form.dataset.lost;
  countChoices();
}

document.addEventListener("click", (event) => {
  const clear = event.target.closest("[data-clear]");
  if (clear) clearChoice(clear.form);
});

document.addEventListener("page-changed", () => {
  for (const form of document.querySelectorAll("form[data-chosen=some]")) {
    if (!boxesOf(form).some((box) => box.checked)) disarm(form);
  }
  countChoices();
});
