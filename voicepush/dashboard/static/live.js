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

// Draws what the tables say, each column by its name.

const ofCalls = ["agent", "reached", "not_reached", "dropped", "expired"];
const drawn = new Map();

const colour = (name) =>
  getComputedStyle(document.body).getPropertyValue(`--${name.replace("_", "-")}`).trim();

// Times are by the server's clock, whatever zone the viewer is in.
const seconds = (time) => Date.parse(`${time.dateTime.slice(0, 19)}Z`) / 1000;

function columnsOf(table) {
  const rows = [...table.tBodies[0].rows];
  const [first, ...others] = [...table.tHead.rows[0].cells].map((cell) => cell.dataset.column);
  const value = (cell) => {
    const found = cell.querySelector("data");
    return found ? Number(found.value) : null;
  };
  const columns = { [first]: rows.map((row) => seconds(row.querySelector("time"))) };
  others.forEach((name, i) => (columns[name] = rows.map((row) => value(row.cells[i + 1]))));
  return columns;
}

// Triangles that point down, as in the key.
function triangles(plot, series) {
  const path = new Path2D();
  const half = 5 * devicePixelRatio;
  plot.data[series].forEach((value, i) => {
    if (value === null) return;
    const [x, y] = [plot.valToPos(plot.data[0][i], "x", true), plot.valToPos(value, "y", true)];
    path.moveTo(x - half, y - half);
    path.lineTo(x + half, y - half);
    path.lineTo(x, y + half);
    path.closePath();
  });
  return { fill: path, stroke: null };
}

// People per second as bars, the limit as a line, refusals as triangles above.
function speed({ at, per_second, limit, refused }) {
  const top = 1.07 * Math.max(...per_second, ...limit);
  const bars = uPlot.paths.bars({ align: 1, size: [0.9, 100] });
  return {
    data: [at, per_second, limit, refused.map((number) => (number ? top : null))],
    width: at[1] - at[0],
    series: [
      { fill: colour("accepted"), width: 0, paths: bars, points: { show: false } },
      { stroke: colour("limit"), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
      { stroke: colour("rejected"), paths: () => null, points: { show: true, paths: triangles, fill: colour("rejected") } },
    ],
  };
}

// Sums so far, from nobody on, as areas that lie on each other; the highest is drawn first.
function calls({ until, ...columns }) {
  const names = ofCalls.filter((name) => columns[name]);
  let below = until.map(() => 0);
  const sums = names.map((name) => (below = columns[name].map((value, i) => value + below[i])));
  return {
    data: [[2 * until[0] - until[1], ...until], ...sums.reverse().map((sum) => [0, ...sum])],
    width: 0,
    series: names.reverse().map((name) => ({ fill: colour(name), width: 0, points: { show: false } })),
  };
}

const seen = { speed, calls };

function options(plot, { width, series }) {
  const axis = { stroke: colour("faint"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  const day = 86400;
  const spans = (all) => all[all.length - 1] - all[0];
  const two = (number) => String(number).padStart(2, "0");
  const words = (at, all) => {
    const date = new Date(1000 * at);
    const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
    if (spans(all) >= 2 * day) return `${two(date.getUTCDate())}.${two(date.getUTCMonth() + 1)}.`;
    return spans(all) < 240 ? `${time}:${two(date.getUTCSeconds())}` : time;
  };
  return {
    width: plot.clientWidth,
    height: plot.clientHeight,
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    tzDate: (at) => uPlot.tzDate(new Date(1000 * at), "Etc/UTC"),
    scales: {
      x: { range: (_, least, most) => [least, Math.max(most + width, least + 1)] },
      y: { range: (_, least, most) => [0, Math.max(1, 1.1 * most)] },
    },
    axes: [
      { ...axis, size: 32, space: 80, values: (_, all) => all.map((at) => words(at, all)) },
      { ...axis, size: 64, values: (_, all) => all.map((each) => each.toLocaleString("en")) },
    ],
    series: [{}, ...series],
  };
}

function draw(plot) {
  const table = document.getElementById(`${plot.dataset.plot}-numbers`);
  drawn.get(plot)?.destroy();
  plot.hidden = table.tBodies[0].rows.length < 2;
  if (plot.hidden) return;
  const picture = seen[plot.dataset.plot](columnsOf(table));
  drawn.set(plot, new uPlot(options(plot, picture), picture.data, plot));
}

const plots = [...document.querySelectorAll("[data-plot]")];
const drawAll = () => plots.forEach(draw);

drawAll();
document.body.addEventListener("htmx:sseMessage", (event) => {
  plots.filter((plot) => `${plot.dataset.plot}-numbers` === event.detail.type).forEach(draw);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("resize", drawAll);
