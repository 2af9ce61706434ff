// Starts what the parts before declare.

// A page that answers a form names the address that shows the same later.
function showAddress() {
  const address = document.querySelector("[data-address]")?.dataset.address;
  if (address) history.replaceState(null, "", address);
}

document.addEventListener("page-changed", showAddress);
showAddress();

// What the page before has done is said once, and news leave it there.
function showDone() {
  const done = document.querySelector("[data-done]");
  if (!done) return;
  showSentence(done.textContent, { stays: true });
  done.remove();
}

// A page that waits for something goes on when it has come. One that is opened later does not.
const waits = !document.querySelector("[data-goes-on]");
document.addEventListener("page-changed", () => {
  const next = waits && document.querySelector("[data-goes-on]");
  if (next) location.assign(next.href);
});

showDone();
startTimes();
startKeys();
returnToRow();
showSeen();
restoreTyped();
countChoices();
startSearch();
startSignIn();
startStream();

// A page that the browser kept when the person left it may show what they may not see any more: they may have signed
// out, or somebody else signed in.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
  // A page that the browser loads again on the way back gets its ticks only now.
  countChoices();
});
