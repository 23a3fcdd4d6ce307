// The values of a metric against its limits, as a small picture: a line through the measurements, a mark for each (a dot,
// or a cross for one that was not good), a dashed line for each limit. What it shows is in words beside it as well.
import { el, svg } from "./dom.js";

const WIDTH = 320;
const HEIGHT = 72;
const EDGE = 8;
const SIGNS = { ">=": "≥", "<=": "≤", "!=": "≠", "==": "=", ">": ">", "<": "<" };

// A figure; a sentence where there is nothing to draw.
export function plot(metric) {
  const numbers = metric.points.map((point) => point.number).filter((n) => n !== null);
  if (!numbers.length) {
    const text = metric.points.length ? "Not drawn: its values are no numbers." : "Nothing is measured yet.";
    return el("p", { class: "soft" }, text);
  }
  return el("figure", { class: "plot" }, picture(metric, numbers), el("figcaption", { class: "soft" }, caption(metric, numbers)));
}

function picture(metric, numbers) {
  const all = [...numbers, ...metric.lines.map((line) => line.value)];
  const y = scale(Math.min(...all), Math.max(...all));
  const count = metric.points.length;
  const x = (i) => (count === 1 ? WIDTH / 2 : EDGE + (i * (WIDTH - 2 * EDGE)) / (count - 1));
  const drawn = metric.points.map((point, i) => ({ ...point, x: x(i), y: point.number === null ? null : y(point.number) }));
  const seen = drawn.filter((point) => point.y !== null);
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words(metric, numbers) },
    metric.lines.map((line) => svg("line", { class: "limit", x1: 0, x2: WIDTH, y1: y(line.value), y2: y(line.value) })),
    svg("polyline", { class: "values", points: seen.map((point) => `${point.x},${point.y}`).join(" ") }),
    drawn.map((point) => mark(point)));
}

function mark(point) {
  const title = svg("title", {}, `${point.value || point.message || "no value"}: ${point.phase}`);
  // What has no number is marked at the bottom, where it was measured.
  const [x, y] = [point.x, point.y ?? HEIGHT - EDGE];
  if (point.phase === "Successful" && point.y !== null) return svg("circle", { class: "good", cx: x, cy: y, r: 3 }, title);
  if (point.phase === "Running" || point.phase === "Pending") return svg("circle", { class: "open", cx: x, cy: y, r: 3 }, title);
  return svg("path", { class: "bad", d: `M${x - 4} ${y - 4}L${x + 4} ${y + 4}M${x - 4} ${y + 4}L${x + 4} ${y - 4}` }, title);
}

// The place of a value, from the top.
function scale(least, most) {
  const span = most - least || Math.abs(most) || 1;
  const low = least - (most === least ? span / 2 : 0);
  return (value) => {
    const share = (value - low) / span;
    return Math.round(10 * (HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE))) / 10;
  };
}

function caption(metric, numbers) {
  const range = `${number(Math.min(...numbers))} to ${number(Math.max(...numbers))}`;
  return [`${metric.points.length} measured, ${range}. `, limits(metric)];
}

export function limits(metric) {
  if (metric.lines.length) {
    return metric.lines.map((line) => `${line.succeeds ? "Succeeds" : "Fails"} if ${SIGNS[line.sign]} ${number(line.value)} (dashed).`).join(" ");
  }
  return metric.succeeds || metric.fails ? "No limit line: the condition is more than a comparison with a number." : "No limit line: there is no condition.";
}

// All that the picture shows, for who does not see it.
function words(metric, numbers) {
  const bad = metric.points.filter((point) => ["Failed", "Error", "Inconclusive"].includes(point.phase));
  return `${metric.name}: ${metric.points.length} ${metric.points.length === 1 ? "measurement" : "measurements"} between ${number(Math.min(...numbers))} and ${number(Math.max(...numbers))}, `
    + `newest ${metric.newest}, ${bad.length} not good. ${limits(metric)}`;
}

function number(value) {
  return String(Number(value.toPrecision(6)));
}
