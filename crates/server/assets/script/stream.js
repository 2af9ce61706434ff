// News from the server. All tabs of a browser share one stream, because a browser opens only six
// connections to an origin: the tab that has the lock reads the stream and tells the others.
//
// The bar says the state in words: live, reconnecting, stale since 14:02, signed out.

/** After such a silence the connection is lost, although it is open. The server says something every 5 s. */
const SILENT_MS = 12_000;

/** A silence of so long makes the page stale. */
const STALE_AFTER_MS = 20_000;

/** The wait before a stream that the server has refused is opened again, doubled up to the second. */
const REOPEN_FIRST_MS = 1_000;
const REOPEN_LAST_MS = 30_000;

const tabs = new BroadcastChannel("ctxpin-stream");

/** `live`, `lost` or `over`, when the server was heard last, and the mark of the latest news. */
let stream = { state: "lost", heardAt: Date.now() };
let isReader = false;
/** When this tab began to wait for the next word of the server. */
let waitsSince;
/** Opens the stream of this tab again. */
let readAgain = () => {};
/** Leaves the stream to another tab. */
let leaveStream = () => {};
/** Whether this tab waits for the answer of the one that reads the stream. */
let isAsking = false;
/** Whether news came while this tab was hidden. */
let hasMissed = false;

/** Starts to listen. Only pages that watch something do. */
function startStream() {
  if (document.body.dataset.watch === undefined) return;
  tabs.onmessage = ({ data }) => {
    if (data.kind === "ask" && isReader) tabs.postMessage({ kind: "state", stream });
    if (data.kind === "state") {
      streamBecomes(data.stream);
      // Something may have happened between the page and the answer.
      if (isAsking && data.stream.state === "live") hear({ kind: "everything" }, data.stream.mark);
      isAsking = false;
    }
    if (data.kind === "news") hear(data.news, data.mark);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !hasMissed) return;
    hasMissed = false;
    refreshSoon();
  });
  setInterval(() => {
    if (isReader && isSilent(waitsSince)) readAgain();
    showStream();
  }, 1_000);
  // The connection may have gone with the network.
  for (const kind of ["offline", "online"]) addEventListener(kind, () => readAgain());
  // Web Locks exist where the page is served securely or from this machine. Elsewhere each tab reads.
  if (!navigator.locks) {
    readStream(REOPEN_FIRST_MS);
    return;
  }
  navigator.locks.request("ctxpin-stream", () => {
    readStream(REOPEN_FIRST_MS);
    // The lock is kept until this tab is closed or signed out.
    return new Promise((resolve) => {
      leaveStream = resolve;
    });
  });
  isAsking = true;
  tabs.postMessage({ kind: "ask" });
}

/** Reads the stream of the server, and reopens it when the server has refused or ended it. */
function readStream(wait) {
  if (stream.state === "over") return;
  isReader = true;
  waitsSince = Date.now();
  const source = new EventSource("/api/v1/watch?state=false");
  const tell = (news, mark) => {
    tabs.postMessage({ kind: "news", news, mark });
    hear(news, mark);
  };
  const tellState = (state) => {
    waitsSince = Date.now();
    streamBecomes({ ...stream, state, heardAt: state === "live" ? waitsSince : stream.heardAt });
    tabs.postMessage({ kind: "state", stream });
  };
  const reopen = () => {
    source.close();
    setTimeout(readStream, wait, Math.min(wait * 2, REOPEN_LAST_MS));
  };
  readAgain = () => {
    if (source.readyState === EventSource.CLOSED) return;
    source.close();
    tellState("lost");
    readStream(REOPEN_FIRST_MS);
  };
  source.addEventListener("ready", (event) => {
    wait = REOPEN_FIRST_MS;
    stream.mark = event.lastEventId;
    tellState("live");
    // Something may have happened between the page and the stream.
    tell({ kind: "everything" }, stream.mark);
  });
  source.addEventListener("alive", () => tellState("live"));
  source.addEventListener("changed", (event) => {
    tellState("live");
    const news = JSON.parse(event.data);
    stream.mark = event.lastEventId;
    // The server looks from time to time whether it has missed something, which no mark tells.
    tell(news, news.kind === "everything" ? undefined : stream.mark);
  });
  source.addEventListener("deleted", (event) => {
    tellState("live");
    tell({ kind: "gone", ...JSON.parse(event.data) });
  });
  source.addEventListener("closed", (event) => {
    tellState("lost");
    // The session has ended. Each tab fetches its page, and finds that.
    if (JSON.parse(event.data).status === 401) tell({ kind: "everything" });
    reopen();
  });
  source.onerror = () => {
    tellState("lost");
    // The browser itself connects again, except after an error status, which the stream does not name. A fetch tells
    // each tab whether its session has ended.
    if (source.readyState === EventSource.CLOSED) {
      tell({ kind: "everything" });
      reopen();
    } else {
      hear({ kind: "everything" });
    }
  };
}

/** Ends all news of this tab, for example because the session is over. */
function streamEnds(words) {
  streamBecomes({ state: "over", words });
  say(words);
  isReader = false;
  leaveStream();
}

function streamBecomes(next) {
  if (stream.state === "over") return;
  stream = next;
  showStream();
}

/** Returns whether nobody has heard of the server for too long. */
function isSilent(since, limit = SILENT_MS) {
  return Date.now() - since > limit;
}

/** Writes the state into the bar, and says when it changes. */
function showStream() {
  const place = document.getElementById("stream");
  const [name, words] = streamWords();
  const before = place.dataset.stream;
  if (before === name && place.textContent === words) return;
  place.dataset.stream = name;
  place.textContent = words;
  if (before === "live" && name !== "over") say("The connection is lost. ctxpin tries again.");
  if (before === "live" || name !== "live") return;
  endToasts("#toasts [data-lost]");
  if (performance.now() > STALE_AFTER_MS) say("Live again.");
}

function streamWords() {
  if (stream.state === "over") return ["over", stream.words];
  if (stream.state === "live" && !isSilent(stream.heardAt)) return ["live", "live"];
  if (!isSilent(stream.heardAt, STALE_AFTER_MS)) return ["reconnecting", "reconnecting"];
  return ["stale", `stale since ${clockTime(new Date(stream.heardAt))}`];
}

/**
 * Refreshes the page if the news concern it: `data-watch` lists ids, or is empty for everything.
 *
 * A page that was read at `mark` has these news.
 */
function hear(news, mark) {
  const watched = document.body.dataset.watch;
  if (watched === undefined) return;
  const concerns = news.kind === "everything" || watched === "" || watched.split(" ").includes(news.id);
  if (!concerns || hasSeen(mark) || stream.state === "over") return;
  hasMissed = document.hidden;
  if (!hasMissed) refreshSoon(mark);
}
