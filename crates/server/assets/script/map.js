// The cross-hair of a map: one line over all lanes, with the time at it. `data-map` has the range as
// `FROM/TO`, and `.lane.axis svg` tells where on the page it lies.

document.addEventListener("pointermove", (event) => {
  const map = event.target.closest?.("[data-map]");
  for (const line of document.querySelectorAll(".crosshair")) line.hidden = line.parentElement !== map;
  if (!map) return;
  const line = map.querySelector(".crosshair");
  const axis = map.querySelector(".lane.axis svg").getBoundingClientRect();
  const part = (event.clientX - axis.left) / axis.width;
  line.hidden = part < 0 || part > 1;
  if (line.hidden) return;
  const [from, to] = map.dataset.map.split("/").map(Date.parse);
  const at = new Date(from + part * (to - from));
  line.style.left = `${event.clientX - map.getBoundingClientRect().left}px`;
  line.classList.toggle("late", part > 0.8);
  line.firstElementChild.textContent = timeWords(at, "clock", new Date());
});

/** Writes the times of an axis as those of the reader's zone, and moves the ticks of days to the midnights there. */
function showTicks() {
  for (const tick of document.querySelectorAll("[data-tick]")) {
    const date = new Date(tick.dataset.at);
    if (tick.dataset.tick === "clock") {
      tick.textContent = `${weekday.format(date)} ${clockTime(date)}`;
      continue;
    }
    const [from, to] = tick.closest("[data-map]").dataset.map.split("/").map(Date.parse);
    const line = tick.previousElementSibling;
    const x = (100 * (date.getTime() + date.getTimezoneOffset() * MINUTE_MS - from)) / (to - from);
    tick.setAttribute("x", `${x}%`);
    for (const end of ["x1", "x2"]) line.setAttribute(end, `${x}%`);
    for (const part of [tick, line]) part.setAttribute("visibility", x < 0 || x > 100 ? "hidden" : "visible");
  }
}
