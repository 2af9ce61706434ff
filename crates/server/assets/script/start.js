// The last part: everything is declared, so it can start.

// A page that answers a form names the address that shows the same later.
const address = document.querySelector("[data-address]")?.dataset.address;
if (address) history.replaceState(null, "", address);

startTimes();
startKeys();
showSeen();
countChoices();
startSearch();
startSignIn();
startStream();
