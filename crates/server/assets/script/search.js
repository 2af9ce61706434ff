// Search by content: a dropped file is hashed here, and only its hash is sent.

function startSearch() {
  const field = document.querySelector("input[data-hash-of]");
  if (!field) return;
  field.addEventListener("change", () => searchFile(field.files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const { files } = event.dataTransfer;
    if (files.length === 1) searchFile(files[0]);
    else showSentence("Drop one file.", { failed: true });
  });
}

async function searchFile(file) {
  if (!file) return;
  const query = document.querySelector("main input[name=q]");
  if (!crypto.subtle) {
    showSentence(document.querySelector("[data-hash-of]").dataset.hashOf, { failed: true });
    return;
  }
  const bytes = await file.arrayBuffer().catch(() => undefined);
  if (!bytes) {
    showSentence("This is a folder, or it cannot be read. Drop one file.", { failed: true });
    return;
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  query.value = `sha256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  query.form.requestSubmit();
}
