// Times. The server writes them in UTC; the script keeps them current and in the reader's zone.
//
//   <time datetime="…" data-time="ago">     20 min ago
//   <time datetime="…" data-time="span">    20 min
//   <time datetime="…" data-time="clock">   Tue 14:02, and 3 Nov 14:02 or 27 Dec 2026 from six days on

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A span in months says less than a date. */
const SPAN_MAX_MS = 30 * DAY_MS;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

function clockTime(date) {
  return clock.format(date);
}

/** Returns the date. One of this year that has passed has no year. */
function dateWords(date, now) {
  const isPast = date.getFullYear() === now.getFullYear() && date <= now;
  return (isPast ? day : dayOfYear).format(date);
}

function timeWords(date, form, now) {
  const age = now - date;
  // A clock was set back since.
  if (form === "clock" || (form === "ago" && age <= -MINUTE_MS)) {
    if (Math.abs(age) < 6 * DAY_MS) return `${weekday.format(date)} ${clockTime(date)}`;
    // The minute of a day that is to come matters to nobody.
    return age < 0 ? dateWords(date, now) : `${dateWords(date, now)} ${clockTime(date)}`;
  }
  if (age > SPAN_MAX_MS) return dateWords(date, now);
  const span =
    age < MINUTE_MS ? "a moment"
    : age < HOUR_MS ? `${Math.floor(age / MINUTE_MS)} min`
    : age < 2 * DAY_MS ? `${Math.floor(age / HOUR_MS)} h`
    : `${Math.floor(age / DAY_MS)} days`;
  if (form === "span") return span;
  return age < MINUTE_MS ? "just now" : `${span} ago`;
}

function showTimes() {
  const now = new Date();
  for (const time of document.querySelectorAll("time[data-time]")) {
    const date = new Date(time.dateTime);
    const words = timeWords(date, time.dataset.time, now);
    if (time.firstChild.data !== words) time.firstChild.data = words;
    time.title = exact.format(date);
  }
  showTicks();
}

function startTimes() {
  showTimes();
  setInterval(showTimes, MINUTE_MS / 2);
  document.addEventListener("page-changed", showTimes);
}
