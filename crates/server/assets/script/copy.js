// Copying: a short id copies the whole one, "…" beside an action its command (`data-copy`), and a button
// above a text that text (`data-copy-from`, the id of its element).

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const { copy: text, copyFrom } = button.dataset;
  const isDone = await copy(copyFrom ? document.getElementById(copyFrom).textContent : text);
  if (isDone) showSentence(copyFrom ? "Copied." : `Copied: ${text}`, { stay: 3_000 });
  else showSentence("The browser does not let this page copy. Select the text instead.", { failed: true });
});

/** Copies a text, and returns whether the browser allowed it. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // The clipboard exists where the page is served securely or from this machine, and only for those who may.
  }
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  return isDone;
}
