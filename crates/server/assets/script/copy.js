// Copying: a short id copies the whole one, "…" beside an action its command (`data-copy`), and a button
// above a text that text (`data-copy-from`, the id of its element).

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const { copy: text, copyFrom } = button.dataset;
  await copy(copyFrom ? document.getElementById(copyFrom).textContent : text);
  showSentence(copyFrom ? "Copied." : `Copied: ${text}`, { stay: 3_000 });
});

async function copy(text) {
  // The clipboard exists where the page is served securely or from this machine.
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
