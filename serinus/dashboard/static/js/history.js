// What happened to each revision: changes by people and verdicts, with the controller's routine folded below them.
import { ago } from "./clock.js";
import { el } from "./dom.js";
import { panel, plural } from "./pieces.js";

export function history(r) {
  if (!r.history.length) return panel("History", el("p", { class: "soft" }, "No events: the API server keeps them for about an hour."));
  return panel("History", r.history.map(({ revision, entries }) => {
    const routine = entries.filter((entry) => entry.routine);
    const id = `history-${revision}`;
    return el("article", { class: "past", "data-past": revision }, el("h3", {}, revision ? `Revision ${revision}` : r.history.length > 1 ? "Before" : "Events"),
      list(entries.filter((entry) => !entry.routine)),
      routine.length ? el("details", { "data-open": id }, el("summary", { "data-focus": id, class: "soft" }, plural(routine.length, "routine event")), list(routine)) : null);
  }));
}

function list(entries) {
  return entries.length === 0 ? null : el("ol", { class: "podlist" }, entries.map((entry) => el("li", {}, ago(entry.at),
    el("strong", { class: entry.person ? "person" : entry.type }, entry.reason), " ",
    el("span", {}, entry.message, entry.count > 1 ? ` (${entry.count} times)` : ""),
    entry.person ? null : el("span", { class: "soft" }, entry.by))));
}
