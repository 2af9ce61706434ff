// Requests. A server that hangs holds a connection open and answers nothing, so none of them waits for ever.

/** The longest wait for an answer. The server itself gives up what it does to many chats after 30 s. */
const ANSWER_MS = 45_000;

/** The longest wait for the news of a page, which nobody has asked for. */
const NEWS_ANSWER_MS = 15_000;

/** After this wait the page says that it waits. */
const WAIT_SAID_MS = 5_000;

const WAITING = "The server has not answered yet. This page waits for it, and what you typed stays.";

/** Sends what the reader asked for. Says if the answer takes long, and fails if there is none. */
async function ask(address, options) {
  let waiting;
  const timer = setTimeout(() => {
    waiting = showSentence(WAITING, { stays: true, lost: true });
  }, WAIT_SAID_MS);
  try {
    return await fetch(address, { ...options, signal: AbortSignal.timeout(ANSWER_MS) });
  } finally {
    clearTimeout(timer);
    waiting?.remove();
  }
}
