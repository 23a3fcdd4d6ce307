// The revisions of a Rollout, newest first: ReplicaSets, pods, analyses, and the way back.
import { logOf, offerButton } from "./changes.js";
import { ago, countdown } from "./clock.js";
import { el } from "./dom.js";
import { badge, role } from "./pieces.js";
import { plot } from "./plot.js";
import { verdictPlot } from "./verdict_plot.js";

export function revisions(r) {
  return el("section", { class: "panel", "aria-label": "Revisions" }, el("h2", {}, "Revisions"),
    r.revisions.length ? r.revisions.map((revision) => one(r, revision)) : el("p", { class: "soft" }, "There is none yet."));
}

function one(r, revision) {
  const images = [...new Set(revision.sets.flatMap((set) => set.images))];
  const roles = [...new Set(revision.sets.flatMap((set) => set.roles))];
  return el("article", { class: "revision", "data-revision": revision.revision },
    el("header", {}, el("h3", {}, `Revision ${revision.revision} `, roles.map(role)), back(r, revision.rollback)),
    el("div", { class: "images" }, el("span", { class: "mono" }, images.join(", ")), by(revision)),
    revision.changes ? changes(revision) : null,
    revision.sets.map(set), revision.experiments.map((one) => experiment(r, one)), revision.analyses.map((run) => analysis(r, run)));
}

function back(r, offer) {
  if (!offer || r.readOnly || offer.hidden) return null;
  return offerButton(r, offer, { "aria-label": `Roll back to revision ${offer.id.split("/")[1]}` });
}

// Who made it, by which command, as far as the Events have it.
function by({ person, command, sets }) {
  const since = Math.min(...sets.map((one) => one.created).filter(Boolean));
  return [Number.isFinite(since) ? [" · made ", ago(since)] : null, person ? ` · ${command} by ${person}` : null];
}

// The difference of the pod template to that of the revision before.
function changes({ revision, changes: { since, fields, more } }) {
  const id = `changes-${revision}`;
  if (!fields.length) return el("p", { class: "soft" }, `The same pod template as revision ${since}.`);
  return el("details", { "data-open": id }, el("summary", { "data-focus": id }, `Changes since revision ${since}: ${fields.length + more}`),
    el("dl", { class: "facts changes" }, fields.flatMap(({ field, before, after, hidden }) => [el("dt", {}, el("code", {}, field)),
      el("dd", {}, hidden ? el("span", { class: "soft" }, "changed (value not shown)") : [el("del", {}, before || "none"), " → ", el("ins", {}, after || "none")])])),
    more ? el("p", { class: "soft" }, `and ${more} more`) : null);
}

function set(rs) {
  return el("div", { class: "set" },
    el("p", {}, el("span", { class: "mono" }, rs.name), badge(rs.icon, rs.status), `${rs.available}/${rs.desired} available`,
      rs.created ? ago(rs.created) : null,
      rs.deadline ? el("span", {}, "scaled down: ", countdown(rs.deadline)) : null),
    rs.pods.length ? el("ul", { class: "podlist" }, rs.pods.map((pod) => el("li", {},
      el("span", { class: "mono" }, pod.name), badge(pod.icon, pod.status), `ready ${pod.ready}`,
      pod.restarts ? `${pod.restarts} restart${pod.restarts === 1 ? "" : "s"}` : null, pod.created ? el("span", { class: "soft" }, ago(pod.created)) : null))) : null);
}

function analysis(r, run) {
  const counts = [["✔", run.successful], ["✖", run.failed], ["?", run.inconclusive], ["⚠", run.error]].filter(([, n]) => n);
  return el("div", { class: "set" }, el("p", {}, "Analysis ", el("span", { class: "mono" }, run.name), badge(run.icon, run.status),
    counts.map(([sign, n]) => `${sign} ${n}`).join(", ")),
    run.message ? el("p", { class: "soft" }, run.message) : null,
    run.jobs.map((one) => job(r, one)),
    run.metrics.map((metric) => measured(run, metric)));
}

// A Job, with the end of its log when it is opened.
function job(r, { name, metric, status, icon }) {
  const log = el("pre", { tabindex: "0", "aria-label": `End of the log of ${name}` });
  const details = el("details", { "data-open": `job-${name}` }, el("summary", { "data-focus": `job-${name}` }, `Job of ${metric} `, badge(icon, status), " log"), log);
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    log.textContent = "Loading…";
    log.textContent = await logOf(r.ns, name).catch((error) => error.message) || "It has written nothing.";
  });
  return details;
}

// A metric: its verdict, what must hold, the values against it, and each of them in words.
function measured(run, metric) {
  const rules = [metric.succeeds ? `succeeds if ${metric.succeeds}` : "", metric.fails ? `fails if ${metric.fails}` : ""].filter(Boolean);
  const count = metric.failed && metric.allowed !== null ? `${metric.failed} failed, ${metric.allowed} allowed` : "";
  const id = `${run.name}/${metric.name}`;
  return el("div", { class: "metric", "data-metric": id },
    el("p", {}, el("strong", {}, metric.name), badge(metric.icon, metric.phase), metric.newest ? el("code", {}, metric.newest) : null,
      [rules.join(", "), count, metric.dryRun ? "a dry run, which decides nothing" : ""].filter(Boolean).map((text) => el("span", { class: "soft" }, text))),
    metric.message ? el("p", { class: "soft" }, metric.message) : null,
    metric.curve ? verdictPlot(metric) : plot(metric),
    metric.points.length ? el("details", { "data-open": id }, el("summary", { "data-focus": id }, "Measurements"),
      el("ol", { class: "podlist" }, metric.points.map((one) => el("li", {}, badge(one.icon, one.phase), el("code", {}, one.value || one.message), ago(one.at))))) : null);
}

function experiment(r, e) {
  return el("div", { class: "set" }, el("p", {}, "Experiment ", el("span", { class: "mono" }, e.name), badge(e.icon, e.status), e.message),
    e.sets.map(set), e.analyses.map((run) => analysis(r, run)));
}
