// Copying: a short id copies the whole one, a button beside an action its command (`data-copy`), and a button
// above a text that text: what its element shows (`data-copy-from`, the id), or the bytes of the file (`data-copy-of`,
// the address), because a page shows some characters by their names.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from], [data-copy-of]");
  if (!button) return;
  const { copyFrom, copyOf } = button.dataset;
  const words = button.dataset.fill ? filledCommand(button) : button.dataset.copy && served(button.dataset.copy);
  const text = copyOf ? await textOf(copyOf) : copyFrom ? document.getElementById(copyFrom).textContent : words;
  if (text === undefined) showSentence("This is no text that can be copied. Download it instead.", { failed: true });
  else if (await copy(text)) showSentence(words ? `Copied: ${words}` : "Copied.");
  else showSentence("The browser does not let this page copy. Select the text instead.", { failed: true });
});

/** Returns a command of ours that names the server, unless commands find that by themselves. */
function served(command) {
  return command.replace(/(?<=^|&& |; )ctxpin (?!.*--server)/g, document.body.dataset.ctxpin ?? "$&");
}

/**
 * Returns the command of a button with what its form holds: `data-fill="source=--source=PATH"` puts each chosen source
 * into the place of `PATH`. A whole command is repeated, and `chat?waits=` takes boxes with `data-waits` alone.
 */
function filledCommand({ dataset, form }) {
  let command = served(dataset.copy);
  for (const entry of dataset.fill.split(";")) {
    const [, name, mark, plain] = entry.match(/^(\w+)\??(\w*)=(.*)$/);
    const words = served(plain);
    const fields = [...form.elements].filter(
      (field) => field.name === name && (isField(field) || field.checked) && (!mark || mark in field.dataset),
    );
    const given = fields
      .map(wordOf)
      .filter((word) => word)
      .map((word) => words.replace(/[A-Z]+$/, () => quoted(word)))
      .join(plain.startsWith("ctxpin") ? "; " : " ");
    const filled = given || fields[0]?.dataset.none;
    if (!filled) {
      // An option of which nothing is chosen is not given.
      if (words.startsWith("--")) command = command.replace(` ${words}`, "");
    } else {
      command = command.includes(words) ? command.replace(words, () => filled) : `${command} ${filled}`;
    }
  }
  return command;
}

/**
 * Returns what a command calls the value of a field. The box of a change in a diff has its id and a kind before the path,
 * and those of a chat and of a change in the inbox have more behind the id.
 */
function wordOf({ name, type, value }) {
  if (name === "chat" || name === "change") return value.split(" ")[0];
  return type === "checkbox" ? value.trim().replace(/^\w+ (\w+ )?/, "") : value.trim();
}

/** Returns a text as one word of a shell. */
function quoted(text) {
  return /^[\w@%+:,./=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Returns the text of a file, with each of its bytes. `undefined` if it cannot be read or is no text. */
async function textOf(address) {
  try {
    const response = await ask(address);
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return response.ok ? decoder.decode(await response.arrayBuffer()) : undefined;
  } catch {
    return undefined;
  }
}

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
