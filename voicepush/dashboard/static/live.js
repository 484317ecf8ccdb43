"use strict";

// Says when the page is cut off from the server, so that nobody trusts old numbers.

const cutOff = document.getElementById("cut-off");
const longestSilence = 40_000; // the server speaks every 15 seconds
let heardAt = Date.now();

function hear() {
  heardAt = Date.now();
  cutOff.hidden = true;
  document.body.classList.remove("is-cut-off");
}

function miss() {
  if (!cutOff.hidden) return;
  const since = new Date(heardAt).toLocaleTimeString("en-GB");
  cutOff.textContent = `Not connected since ${since}; what you see may be old.`;
  cutOff.hidden = false;
  document.body.classList.add("is-cut-off");
}

document.body.addEventListener("htmx:sseMessage", hear);
document.body.addEventListener("htmx:sseError", miss);
setInterval(() => Date.now() - heardAt > longestSilence && miss(), 1000);

// Draws what the tables say: a column each, by its name.

const bars = uPlot.paths.bars({ align: 1, size: [0.9, 100] });
const steps = uPlot.paths.stepped({ align: 1 });
const looks = {
  per_second: { colour: "accepted", fills: true, paths: bars },
  limit: { colour: "limit", paths: steps },
  refused: { colour: "rejected", marks: true },
};
const ofCalls = ["agent", "reached", "not_reached", "dropped", "expired"];
const drawn = new Map();

const colour = (name) =>
  getComputedStyle(document.body).getPropertyValue(`--${name.replace("_", "-")}`).trim();

// Times are by the server's clock, whatever zone the viewer is in.
const seconds = (time) => Date.parse(`${time.dateTime.slice(0, 19)}Z`) / 1000;

function columnsOf(table) {
  const rows = [...table.tBodies[0].rows];
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.dataset.column);
  const value = (row, place) => {
    const found = row.cells[place].querySelector("data");
    return found ? Number(found.value) : null;
  };
  const times = rows.map((row) => seconds(row.querySelector("time")));
  return [times, names.slice(1).map((name, i) => [name, rows.map((row) => value(row, i + 1))])];
}

// What is drawn on what: sums of calls lie on each other, the highest is drawn first.
function seriesOf(columns) {
  let below = 0;
  const found = columns.map(([name, values]) => {
    if (looks[name]) return [{ name, ...looks[name] }, values];
    below = values.map((value, i) => value + (below[i] || 0));
    return [{ name, colour: name, fills: true }, below];
  });
  return columns.every(([name]) => ofCalls.includes(name)) ? found.reverse() : found;
}

function options(plot, looked) {
  const axis = {
    stroke: colour("faint"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: plot.clientWidth,
    height: plot.clientHeight,
    legend: { show: false },
    cursor: { show: false },
    tzDate: (at) => uPlot.tzDate(new Date(1000 * at), "Etc/UTC"),
    scales: { y: { range: (_, least, most) => [0, Math.max(1, 1.1 * most)] } },
    axes: [
      { ...axis, space: 70, values: [[86400, "{D} {MMM}"], [60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"]].map(
        ([step, form]) => [step, form, null, null, null, null, null, null, 1]) },
      { ...axis, size: 64, values: (_, all) => all.map((each) => each.toLocaleString("en")) },
    ],
    series: [
      {},
      ...looked.map((look) => ({
        stroke: colour(look.colour),
        fill: look.fills ? colour(look.colour) : undefined,
        width: look.fills || look.marks ? 0 : 2,
        paths: look.marks ? () => null : look.paths,
        points: { show: Boolean(look.marks), size: 9, fill: colour(look.colour) },
      })),
    ],
  };
}

function draw(plot) {
  const table = document.getElementById(plot.dataset.numbers);
  const [times, columns] = columnsOf(table);
  const series = seriesOf(columns);
  plot.hidden = !times.length;
  drawn.get(plot)?.destroy();
  if (plot.hidden) return;
  const data = [times, ...series.map(([, values]) => values)];
  drawn.set(plot, new uPlot(options(plot, series.map(([look]) => look)), data, plot));
}

const plots = [...document.querySelectorAll("[data-numbers]")];
const drawAll = () => plots.forEach(draw);

drawAll();
document.body.addEventListener("htmx:sseMessage", (event) => {
  plots.filter((plot) => plot.dataset.numbers === event.detail.type).forEach(draw);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("resize", drawAll);
