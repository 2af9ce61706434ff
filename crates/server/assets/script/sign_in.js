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
  note.className = "";
  const response = await ask(form.getAttribute("action"), {
    method: "POST",
    headers: { "ctxpin-fragment": "true" },
    body: new URLSearchParams({ code, next: localPath(given.get("next")) }),
  }).catch(() => undefined);
  if (response?.ok) {
    location.replace(localPath(given.get("next")));
    return;
  }
  if (response?.status === 409) {
    // Another user is signed in here, so the person decides.
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    document.getElementById("main").replaceWith(page.getElementById("main"));
    document.getElementById("sign-in-question").focus();
    return;
  }
  note.textContent = response ? note.dataset.used : note.dataset.silent;
  note.className = "field-error";
}

// Another link in this tab loads nothing.
addEventListener("hashchange", () => {
  if (document.getElementById("sign-in-question")) location.reload();
  else startSignIn();
});

/** Returns a path of this server: a link must not send a reader elsewhere. */
function localPath(next) {
  const url = URL.canParse(next ?? "", location.origin) ? new URL(next, location.origin) : undefined;
  // A path could begin with `//host`.
  const isLocal = url?.origin === location.origin && !url.pathname.startsWith("//");
  return isLocal ? url.pathname + url.search + url.hash : "/";
}
