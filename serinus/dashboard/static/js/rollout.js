// One Rollout's page: what is live, why it waits, what comes next, who did what. Each section is made anew only when
// what it shows has changed.
import { listAddress } from "./address.js";
import { askImage, offerButton } from "./changes.js";
import { ago } from "./clock.js";
import { announce, el, swap } from "./dom.js";
import { history } from "./history.js";
import { nowBox, steps, traffic } from "./now.js";
import { badge, copyable, panel } from "./pieces.js";
import { revisions } from "./revisions.js";

export class RolloutPage {
  constructor(main, place) {
    this.place = place;
    this.rollout = undefined;
    this.left = el("div");
    this.right = el("div");
    this.top = el("div");
    this.made = new Map();
    main.replaceChildren(this.top, el("div", { class: "columns" }, this.left, this.right));
  }

  // `rollout`: undefined while it is loading, null when there is none.
  render(rollout, world) {
    const before = this.rollout;
    this.rollout = rollout;
    if (!rollout || rollout.unreadable) {
      this.left.replaceChildren();
      this.right.replaceChildren();
      this.made.clear();
      this.top.replaceChildren(el("div", { class: "empty" }, this.#absent(rollout, world)));
      return;
    }
    const r = { ...rollout, readOnly: world.readOnly };
    if (before && (before.status !== r.status || before.step !== r.step)) {
      const why = r.status === "Degraded" ? r.message : r.why.reasons[0]?.message ?? "";
      announce(`${r.name} is ${r.status}${r.step ? `, step ${r.step}` : ""}. ${why}`);
    }
    if (!this.made.size) this.top.replaceChildren();
    this.#section(this.top, "head", [r.ns, r.name, r.status, r.icon, r.created], () => head(r));
    this.#section(this.top, "now", [r.status, r.live, r.box], () => nowBox(r));
    this.#section(this.top, "actions", [r.offers, r.seen, r.readOnly], () => actions(r));
    this.#section(this.left, "steps", r.steps, () => steps(r));
    this.#section(this.left, "traffic", [r.traffic, r.weight, r.actual, r.whole], () => traffic(r));
    this.#section(this.left, "summary", [r.strategy, r.step, r.replicas], () => summary(r));
    this.#section(this.left, "containers", [r.containers, r.seen, r.readOnly], () => containers(r));
    this.#section(this.right, "revisions", [r.revisions, r.seen, r.readOnly], () => revisions(r));
    this.#section(this.right, "notifications", r.notifications, () => notifications(r));
    this.#section(this.right, "history", r.history, () => history(r));
  }

  #section(parent, name, shows, make) {
    const print = JSON.stringify(shows);
    const before = this.made.get(name);
    if (before?.print === print) return;
    const element = make();
    if (before) swap(before.element, element);
    else parent.append(element);
    this.made.set(name, { print, element });
  }

  #absent(rollout, world) {
    const { ns, name } = this.place;
    const back = el("p", {}, el("a", { href: listAddress({ ns: "" }), "data-link": "" }, "All Rollouts"));
    if (rollout?.unreadable) return [el("h1", {}, name), el("p", {}, rollout.unreadable), back];
    const nothing = rollout === undefined || world.state.view !== "ok" ? world.nothing(0, 0) : null;
    if (nothing && world.state.view !== "ok") return nothing.map((part) => (part.command ? copyable(part.command) : el("p", {}, part)));
    if (rollout === undefined) return [el("p", {}, "Loading…")];
    return [el("h1", {}, `There is no Rollout ${name} in namespace ${ns}`),
      el("p", {}, "It may have been deleted, or its name is written differently."), back];
  }
}

function head(r) {
  return el("div", { class: "head" }, el("h1", {}, r.name), badge(r.icon, r.status),
    el("span", { class: "where" }, "in ", el("a", { href: listAddress({ ns: r.ns }), "data-link": "" }, r.ns), r.created ? [", made ", ago(r.created)] : null));
}

function actions(r) {
  if (r.readOnly) return el("p", { class: "soft" }, r.readOnly);
  const hidden = r.offers.filter((offer) => offer.hidden);
  const shown = r.offers.filter((offer) => !offer.hidden && !(offer.id === "retry" && offer.blocked));
  const reasons = [...new Set(hidden.map((offer) => offer.blocked))];
  return el("div", { class: "actions" },
    el("div", { class: "buttons", role: "group", "aria-label": "Actions" },
      shown.map((offer) => offerButton(r, offer))),
    reasons.map((reason) => el("p", { class: "soft" },
      `Without ${hidden.filter((offer) => offer.blocked === reason).map((offer) => offer.label).join(", ")}: ${reason}.`)));
}

function summary(r) {
  const n = r.replicas;
  const facts = [["Strategy", r.strategy], ["Step", r.step],
    ["Pods", `${n.desired} wanted, ${n.current} there, ${n.updated} new, ${n.ready} ready, ${n.available} available`]];
  return panel("Summary", el("dl", { class: "facts" },
    facts.filter(([, value]) => value !== null && value !== "").flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])));
}

function containers(r) {
  return panel("Containers", r.containers.map((container) => {
    const { offer } = container;
    const change = el("button", { type: "button", "data-focus": `image-${container.name}`, "data-offer": "set-image", "aria-label": `Change image of ${container.name}` }, "Edit");
    change.addEventListener("click", () => askImage(r, container));
    return el("div", { class: "container" },
      el("div", {}, el("div", {}, container.name, container.init ? el("span", { class: "soft" }, " (init)") : null), el("code", {}, container.image)),
      r.readOnly ? null : offer.hidden ? el("span", { class: "soft" }, `Cannot be changed: ${offer.blocked}.`) : change);
  }));
}

// Empty without notifications: most Rollouts have none.
function notifications(r) {
  if (!r.notifications.length) return el("div");
  return panel("Notifications", el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Messages" }, el("table", {},
    el("thead", {}, el("tr", {}, ["When", "State", "Message", "To"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, r.notifications.map((one) => el("tr", {}, el("td", {}, ago(one.at)),
      el("td", {}, el("strong", { class: one.state === "sent" ? "Normal" : "Warning" }, one.state), one.count > 1 ? ` (${one.count} times)` : ""),
      el("td", {}, one.trigger, one.why ? `: ${one.why}` : ""), el("td", {}, one.to)))))));
}
