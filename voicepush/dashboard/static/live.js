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

// Draws what a table says.

const drawn = new Map();

function colour(name) {
  return getComputedStyle(document.body).getPropertyValue(name).trim();
}

function read(plot) {
  const table = document.getElementById(plot.dataset.table);
  const rows = [...table.tBodies[0].rows];
  // By the server's clock, whatever zone the viewer is in.
  const at = (row) => Date.parse(row.querySelector("time").dateTime.slice(0, 19) + "Z");
  const value = (row) => Number(row.querySelectorAll("data")[plot.dataset.column].value);
  const width = 60 * table.dataset.width;
  return { width, data: [rows.map((row) => at(row) / 1000), rows.map(value)] };
}

function options(plot, width) {
  const ink = colour("--ink-soft");
  const axis = { stroke: ink, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    width: plot.clientWidth,
    height: 180,
    legend: { show: false },
    cursor: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(1000 * seconds), "Etc/UTC"),
    scales: {
      x: { range: (_, least, most) => [least, Math.max(most, least + 19 * width) + width] },
      y: { range: (_, least, most) => [0, Math.max(1, 1.1 * most)] },
    },
    axes: [
      { ...axis, values: "{HH}:{mm}", space: 60 },
      { ...axis, values: (_, all) => all.map((each) => each.toLocaleString("en")), size: 64 },
    ],
    series: [
      {},
      {
        fill: colour(plot.dataset.colour),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ align: 1, size: [0.85, 60] }),
      },
    ],
  };
}

function draw(plot) {
  const { width, data } = read(plot);
  const figure = plot.closest("figure");
  figure.hidden = !data[1].some(Boolean);
  if (figure.hidden) return;
  const before = drawn.get(plot);
  if (before && before.width === width) {
    before.chart.setData(data);
    return;
  }
  if (before) before.chart.destroy();
  drawn.set(plot, { width, chart: new uPlot(options(plot, width), data, plot) });
}

const plots = [...document.querySelectorAll("[data-table]")];

function drawAnew() {
  for (const { chart } of drawn.values()) chart.destroy();
  drawn.clear();
  plots.forEach(draw);
}

drawAnew();
document.body.addEventListener("htmx:sseMessage", (event) => {
  if (event.detail.type === "rates") plots.forEach(draw);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAnew);
addEventListener("resize", drawAnew);
