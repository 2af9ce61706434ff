// Writes. A form with `data-write` is sent by fetch, with the value that only this page holds; without the
// script the browser sends the same form, and its hidden field holds the same value.
//
// The server answers a fragment: elements with an id take the place of those on the page, and a toast
// says what was done, with its undo. A `Location` leads to another page.

/** The writes that are under way, or nothing. */
let writing;

/** The number of writes that have no answer. Who leaves the page then would not hear what became of them. */
let unanswered = 0;

function askToStay(event) {
  event.preventDefault();
}

function countUnanswered(step) {
  unanswered += step;
  // A browser keeps a page that listens to this less readily for the way back.
  if (unanswered > 0) addEventListener("beforeunload", askToStay);
  else removeEventListener("beforeunload", askToStay);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-write]")) return;
  event.preventDefault();
  const busy = event.submitter ?? form;
  // A second click while the first is under way is the same wish.
  if (busy.getAttribute("aria-busy") === "true") return;
  busy.setAttribute("aria-busy", "true");
  const sent = send(form, event.submitter, keepPlace(form.closest(".toast") !== null))
    .catch(() => {
      showSentence(SILENT, { failed: true, lost: true });
      // It may have been done all the same.
      refreshSoon();
    })
    .finally(() => {
      busy.removeAttribute("aria-busy");
      if (writing === sent) writing = undefined;
    });
  writing = sent;
});

async function send(form, submitter, goBack) {
  countUnanswered(1);
  const response = await ask(submitter?.getAttribute("formaction") ?? form.getAttribute("action"), {
    method: "POST",
    headers: {
      accept: "text/html",
      "ctxpin-page": document.querySelector("meta[name=ctxpin-page]").content,
      "ctxpin-fragment": "true",
    },
    body: new URLSearchParams(new FormData(form, submitter)),
  }).finally(() => countUnanswered(-1));
  if (response.status === 401) {
    keepTyped(KEPT);
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  if (response.status === GONE) {
    pageEnds();
    return;
  }
  const elsewhere = response.redirected ? response.url : response.headers.get("location");
  if (response.ok && elsewhere) {
    location.assign(elsewhere);
    return;
  }
  const answer = new DOMParser().parseFromString(await response.text(), "text/html");
  // What was typed stays, and the reason stands beside it.
  if (!response.ok && failAtField(form, answer.querySelector("[data-field]"))) {
    endToasts();
    return;
  }
  guardPointer(() => {
    if (response.ok) endForm(form);
    if (answer.querySelector("[data-again], .failures")) disarm(form);
    takeAnswer(answer, response);
  });
  await refresh({ asked: true });
  goBack();
}

/** Says at its field why a form failed. Returns whether the form has this field. */
function failAtField(form, failed) {
  const name = CSS.escape(failed?.dataset.field ?? "");
  const field = name && form.querySelector(`[name="${name}"]:not([type=hidden])`);
  // Boxes are one field together.
  const last = field && (isField(field) ? field : field.closest("fieldset")?.lastElementChild);
  if (!last) return false;
  endFieldError(field);
  const reason = document.createElement("small");
  reason.className = "field-error";
  reason.id = `error-${name}`;
  reason.textContent = failed.querySelector("p").textContent;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", reason.id);
  last.after(reason);
  field.focus();
  return true;
}

function endFieldError(field) {
  if (!field.matches("[data-write] [aria-invalid]")) return;
  document.getElementById(field.getAttribute("aria-describedby"))?.remove();
  field.removeAttribute("aria-invalid");
  field.removeAttribute("aria-describedby");
}

document.addEventListener("input", ({ target }) => {
  for (const field of target.closest("fieldset")?.elements ?? [target]) endFieldError(field);
});

/** Empties a form whose wish was fulfilled, and closes what it stands in. */
function endForm(form) {
  form.closest("dialog")?.close();
  form.closest("details.menu, details.inline")?.removeAttribute("open");
  // Boxes that the page ticks are ticked again, and chosen rows are not.
  form.reset();
  countChoices();
  // What was done before is undone no more: the next undo belongs to this.
  endToasts();
}

/** Puts a fragment's elements into the page. */
function takeAnswer(answer, response) {
  const elements = [...answer.body.children];
  for (const element of elements) {
    const old = element.id && document.getElementById(element.id);
    if (old) {
      // Versions tell renderings of the page apart. The answer to a write always shows.
      delete old.dataset.version;
      morph(old, element);
    }
    if (element.matches(".toast")) showToast(document.adoptNode(element));
  }
  if (elements.length === 0 && !response.ok) {
    showSentence(`The server refused this (${response.status}).`, { failed: true });
  }
  document.dispatchEvent(new Event("page-changed"));
}
