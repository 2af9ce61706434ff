// The last part: everything is declared, so it can start.

startTimes();
startKeys();
showSeen();
countChoices();
startSearch();
startSignIn();
startStream();
