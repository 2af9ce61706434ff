// Sign-in by a link: `/sign-in#code=…&next=/chats/…`. The code stands in the fragment, which no browser
// sends to a server and no proxy logs. It leaves the address bar before anything else happens.

async function startSignIn() {
  const form = document.querySelector("form[data-sign-in]");
  const given = new URLSearchParams(location.hash.slice(1));
  const code = given.get("code");
  if (!form || !code) return;
  history.replaceState(null, "", location.pathname);
  const note = document.getElementById("sign-in-note");
  note.textContent = "Signing in…";
  const response = await fetch(form.getAttribute("action"), {
    method: "POST",
    headers: { "ctxpin-fragment": "true" },
    body: new URLSearchParams({ code }),
  }).catch(() => undefined);
  if (response?.ok) {
    location.replace(localPath(given.get("next")));
    return;
  }
  note.textContent = response
    ? "This link was used already, or it is too old. `ctxpin open` prints a new one."
    : "The server did not answer. Load the page again, or run `ctxpin open` for a new link.";
  note.classList.add("field-error");
}

/** Returns an address of this server: a link must not send a reader elsewhere. The path alone could be `//host`. */
function localPath(next) {
  const url = URL.canParse(next ?? "", location.origin) ? new URL(next, location.origin) : undefined;
  return url?.origin === location.origin ? url.href : "/";
}
