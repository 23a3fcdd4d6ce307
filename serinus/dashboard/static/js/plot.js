// The values of a metric against its limits and over time: a line through the measurements, a mark for each (a dot, or a
// cross for one that was not good), a dashed line for each limit. What it shows is in words beside it as well.
import { ago } from "./clock.js";
import { el, svg } from "./dom.js";

const WIDTH = 320;
const LEFT = 46; // of the drawing; the values of the axis are beside it
const HEIGHT = 80;
const EDGE = 9;
const SIGNS = { ">=": "≥", "<=": "≤", "!=": "≠", "==": "=", ">": ">", "<": "<" };

// Figures; a sentence where there is nothing to draw.
export function plot(metric) {
  const numbers = metric.points.map((point) => point.number).filter((n) => n !== null);
  const fields = metric.fields.map(({ name, values }) => figure({ ...metric, name: `${metric.name}, ${name}`, lines: [], newest: values.at(-1), points: metric.points.map((point, i) => ({ ...point, number: values[i] })) }, name));
  if (numbers.length) {
    const id = `${metric.run}/${metric.name}/fields`;
    return [figure(metric), fields.length ? el("details", { "data-open": id }, el("summary", { "data-focus": id }, `All ${fields.length} fields of the result`), fields) : null];
  }
  if (fields.length) return fields;
  return el("p", { class: "soft" }, metric.points.length ? "Not drawn: its values are no numbers." : "Nothing is measured yet.");
}

// `field`: the part of the result that is drawn, if the condition names none.
function figure(metric, field = "") {
  const numbers = metric.points.map((point) => point.number).filter((n) => n !== null);
  const hover = el("span", { class: "hover", "aria-hidden": "true" });
  const times = metric.points.map((point) => point.at).filter(Boolean);
  return el("figure", { class: "plot" }, picture(metric, numbers, hover),
    el("div", { class: "axis soft" }, times.length ? ago(times[0]) : el("span"), hover, times.length > 1 ? ago(times.at(-1)) : null),
    el("figcaption", { class: "soft" }, field ? [el("code", {}, field), ` ${range(numbers)}.`] : `${metric.points.length} measured, ${range(numbers)}. ${limits(metric)}`));
}

function picture(metric, numbers, hover) {
  const all = [...numbers, ...metric.lines.map((line) => line.value)];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const y = scale(least, most);
  const x = places(metric.points);
  const drawn = metric.points.map((point, i) => ({ ...point, x: x[i], y: point.number === null || point.number === undefined ? null : y(point.number) }));
  const seen = drawn.filter((point) => point.y !== null);
  // The values of the axis, limits first, as far as their texts do not overlap.
  const ticks = [];
  for (const value of [...metric.lines.map((line) => line.value), least, most]) {
    if (ticks.every((other) => Math.abs(y(value) - y(other)) > 11)) ticks.push(value);
  }
  const element = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words(metric, numbers) },
    svg("path", { class: "frame", d: `M${LEFT} 0V${HEIGHT}` }),
    ticks.map((value) => svg("text", { class: "tick", x: LEFT - 4, y: y(value) + 3.5, "text-anchor": "end" }, short(value))),
    metric.lines.map((line) => svg("line", { class: "limit", x1: LEFT, x2: WIDTH, y1: y(line.value), y2: y(line.value) })),
    svg("polyline", { class: "values", points: seen.map((point) => `${point.x},${point.y}`).join(" ") }),
    drawn.map((point) => mark(point)));
  // The measurement next to the pointer, with its time and value.
  element.addEventListener("pointermove", (event) => {
    const box = element.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * WIDTH;
    const near = drawn.reduce((best, point) => (Math.abs(point.x - at) < Math.abs(best.x - at) ? point : best));
    hover.replaceChildren(near.at ? ago(near.at) : "", ` ${near.y === null ? near.value || near.message || "no value" : number(near.number)}, ${near.phase}`);
  });
  element.addEventListener("pointerleave", () => hover.replaceChildren());
  return element;
}

// The place of each measurement: by its time, or one after the other if a time is missing.
function places(points) {
  const times = points.map((point) => point.at);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const timed = times.every(Boolean) && last > first;
  return points.map((_, i) => {
    const part = points.length === 1 ? 0.5 : timed ? (times[i] - first) / (last - first) : i / (points.length - 1);
    return Math.round(10 * (LEFT + EDGE + part * (WIDTH - LEFT - 2 * EDGE))) / 10;
  });
}

function mark(point) {
  // What has no number is marked at the bottom, where it was measured.
  const [x, y] = [point.x, point.y ?? HEIGHT - EDGE];
  if (point.phase === "Successful" && point.y !== null) return svg("circle", { class: "good", cx: x, cy: y, r: 3 });
  if (point.phase === "Running" || point.phase === "Pending") return svg("circle", { class: "open", cx: x, cy: y, r: 3 });
  return svg("path", { class: "bad", d: `M${x - 4} ${y - 4}L${x + 4} ${y + 4}M${x - 4} ${y + 4}L${x + 4} ${y - 4}` });
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

function range(numbers) {
  return `${number(Math.min(...numbers))} to ${number(Math.max(...numbers))}`;
}

function limits(metric) {
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

// For the axis, which has room for seven characters.
function short(value) {
  const text = number(value);
  return text.length <= 7 ? text : value.toPrecision(2);
}
