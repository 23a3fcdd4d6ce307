// What a bad day asks first: what is live, why it waits, what comes next; the steps, and the shares of the traffic.
import { countdown, lasting } from "./clock.js";
import { el } from "./dom.js";
import { panel, share } from "./pieces.js";

const SIGNS = { done: "✔", current: "▶", todo: "○", aborted: "✖", skipped: "↷", unknown: "?" };
const STATES = { todo: "to do", aborted: "aborted here", unknown: "not known whether it ran" };

export function nowBox(r) {
  const { troubles, said, reasons, judged, shortSteps, next, unread } = r.box;
  const bad = r.status === "Degraded";
  const line = (label, ...text) => el("p", {}, el("strong", {}, `${label}: `), text);
  return el("section", { class: `now ${r.status}`, "aria-label": "Now" },
    troubles.map(({ text, detail }) => el("p", { class: "trouble" }, el("strong", {}, "Cannot start: "), `${text}. `, el("span", { class: "mono" }, detail))),
    line("Live", r.live),
    said ? line(bad ? "Why" : "Says", said) : null,
    reasons.map((one, i) => {
      const label = i ? "Also" : bad && !said ? "Why" : "Waits";
      return el("p", { id: i ? null : "why" }, el("strong", {}, `${label}: `), reason(one));
    }),
    judged.map(({ label, text }) => line(label, text)),
    shortSteps.map((step) => el("p", { class: "short-step" }, el("strong", {}, "Too short: "), step)),
    next ? line("Next", next) : null,
    unread ? line("Not read here", unread) : null);
}

// What is waited for, since when, until when, what ends it, and the code that metrics and `serinus why` have for it.
function reason({ code, message, meaning, ends, since, until, givesUpAt }) {
  return [message, since ? [", ", lasting(since)] : null, until ? [", ", countdown(until)] : null,
    !until && givesUpAt ? [", gives up: ", countdown(givesUpAt)] : null, ` (ends when: ${ends}) `,
    el("code", { class: "soft", title: meaning }, code)];
}

export function steps(r) {
  const { title, items, note } = r.steps;
  if (!items.length) return panel(title, el("p", { class: "soft" }, "This Rollout has no steps."));
  return panel(title, el("ol", { class: "steps" }, items.map((step, i) => {
    const words = [`${i + 1}. ${step.title}`, step.state === "aborted" ? el("strong", { class: "Warning" }, " · aborted here")
      : el("span", { class: "unseen" }, ` (${STATES[step.state] ?? step.state})`),
    step.state === "skipped" ? el("span", { class: "soft", "aria-hidden": "true" }, " · skipped") : null,
    step.until ? [" · ", countdown(step.until)] : null];
    return el("li", { class: step.state, "data-sign": SIGNS[step.state], "aria-current": step.state === "current" ? "step" : null },
      step.detail ? el("details", { "data-open": `step-${i}` }, el("summary", { "data-focus": `step-${i}` }, words), el("pre", {}, JSON.stringify(step.detail, null, 2))) : words);
  })), note ? el("p", { class: "soft" }, note) : null);
}

export function traffic(r) {
  if (!r.traffic.length) return panel("Traffic", el("p", { class: "soft" }, "No version has traffic yet."));
  return panel("Traffic", el("div", { class: "shares" }, bar(r.traffic, r.whole), el("dl", { class: "facts" }, r.traffic.flatMap((part) => [
    el("dt", {}, el("span", { class: `swatch ${kind(part)}` }), part.revision ? `${part.role}, revision ${part.revision}` : part.role),
    el("dd", {}, part.set === part.actual ? share(part.actual, r.whole) : `${share(part.set, r.whole)} set, ${share(part.actual, r.whole)} observed`)]))));
}

// Each version's share, in the order of the key. A mark shows where the desired share of the new version ends.
function bar(parts, whole) {
  const pieces = parts.map((part) => {
    const piece = el("span", { class: `piece ${kind(part)}` });
    piece.style.width = `${(100 * part.actual) / whole}%`;
    return piece;
  });
  const label = parts.map((part) => `${part.role} ${share(part.actual, whole)}`).join(", ");
  const [first] = parts;
  const mark = first.set === first.actual ? null : el("span", { class: "mark" });
  if (mark) mark.style.left = `${(100 * first.set) / whole}%`;
  return el("div", { class: "bar parts", role: "img", "aria-label": label, title: label }, pieces, mark);
}

function kind({ role }) {
  return ["canary", "preview"].includes(role) ? "canary" : ["stable", "active"].includes(role) ? "stable" : "other";
}
