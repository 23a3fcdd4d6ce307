// A verdict with a stated error bound, look by look: the evidence for harm and for safety against their limits, and the
// ratios of error rates that are left. Both scales are logarithmic. The caption has the same in words.
import { el, svg } from "./dom.js";

const WIDTH = 320;
const HEIGHT = 96;
const EDGE = 8;
const LEAST_RATIO = 0.05;
const MOST_RATIO = 20;

export function verdictPlot(metric) {
  const curve = metric.curve;
  return el("figure", { class: "plot verdict" }, evidence(metric.name, curve), ratios(metric.name, curve),
    el("figcaption", { class: "soft" }, caption(curve)));
}

function caption(curve) {
  const last = curve.points.at(-1);
  const bursts = curve.dispersion > 1 ? ` Counts are divided by ${short(curve.dispersion)}: errors come in bursts.` : "";
  return [el("span", { class: "key harm" }, `━ harm ${times(last.harm)} of ${times(curve.harmLimit)}`), ", ",
    el("span", { class: "key safe" }, `╍ safety ${times(last.safe)} of ${times(curve.safeLimit)}`),
    ` (thin lines: the limits). ${curve.words} (band; lines at ${short(curve.tolerated)} and ${short(curve.margin)}).${bursts}`];
}

function evidence(name, curve) {
  const limits = [curve.harmLimit, curve.safeLimit];
  const lowest = Math.min(...limits) * -0.5;
  const highest = Math.max(...limits) * 1.25;
  const y = place(lowest, highest);
  const label = `${name}: evidence by look, harm ${times(curve.points.at(-1).harm)} of ${times(curve.harmLimit)}, `
    + `safety ${times(curve.points.at(-1).safe)} of ${times(curve.safeLimit)}`;
  return picture(label,
    svg("line", { class: "limit harm", x1: 0, x2: WIDTH, y1: y(curve.harmLimit), y2: y(curve.harmLimit) }),
    curve.safeLimit === curve.harmLimit ? [] : svg("line", { class: "limit safe", x1: 0, x2: WIDTH, y1: y(curve.safeLimit), y2: y(curve.safeLimit) }),
    line("harm", curve, (point) => y(point.harm)), line("safe", curve, (point) => y(point.safe)), marks(curve, (point) => y(Math.max(point.harm, point.safe))));
}

function ratios(name, curve) {
  const log = (ratio) => Math.log(Math.min(MOST_RATIO, Math.max(LEAST_RATIO, ratio)));
  const y = place(Math.log(LEAST_RATIO), Math.log(MOST_RATIO));
  const top = curve.points.map((point, i) => `${x(curve, i)},${y(log(point.high ?? MOST_RATIO))}`);
  const bottom = curve.points.map((point, i) => `${x(curve, i)},${y(log(point.low ?? LEAST_RATIO))}`);
  return picture(`${name}: ratio of error rates that is left, ${curve.words}`,
    svg("polygon", { class: "band", points: [...top, ...bottom.reverse()].join(" ") }),
    [curve.tolerated, curve.margin].map((ratio) => svg("line", { class: "limit", x1: 0, x2: WIDTH, y1: y(log(ratio)), y2: y(log(ratio)) })));
}

function picture(label, ...parts) {
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, parts.flat(2));
}

function line(kind, curve, y) {
  return svg("polyline", { class: `values ${kind}`, points: curve.points.map((point, i) => `${x(curve, i)},${y(point)}`).join(" ") });
}

// A dot for each look, with its numbers.
function marks(curve, y) {
  return curve.points.map((point, i) => svg("circle", { class: "look", cx: x(curve, i), cy: y(point), r: 2 },
    svg("title", {}, `look ${point.look}: harm ${times(point.harm)}, safety ${times(point.safe)}`)));
}

function x(curve, i) {
  const count = curve.points.length;
  return count === 1 ? WIDTH / 2 : Math.round(10 * (EDGE + (i * (WIDTH - 2 * EDGE)) / (count - 1))) / 10;
}

function place(lowest, highest) {
  return (value) => {
    const part = (Math.min(highest, Math.max(lowest, value)) - lowest) / (highest - lowest);
    return Math.round(10 * (HEIGHT - EDGE - part * (HEIGHT - 2 * EDGE))) / 10;
  };
}

// The evidence of a logarithm, in short.
function times(logarithm) {
  return short(Math.exp(Math.min(logarithm, 690)));
}

function short(value) {
  return value >= 10 && value < 1e5 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}
