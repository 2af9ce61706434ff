// Choosing rows and sources: shift-click takes a range, and buttons say how many are chosen. A form with
// `data-counted` gets `data-chosen`, `none` or `some`; the style shows `data-if="some"` accordingly. It also gets
// `data-waiting`, which says whether one of the chosen has something to decide (`data-waits`).

let lastBox;

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

document.addEventListener("change", countChoices);

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
  }
}

/** Clears the choice of a form. */
function clearChoice(form) {
  for (const box of boxesOf(form)) box.checked = false;
  countChoices();
}

document.addEventListener("click", (event) => {
  const clear = event.target.closest("[data-clear]");
  if (clear) clearChoice(clear.form);
});

document.addEventListener("page-changed", countChoices);
