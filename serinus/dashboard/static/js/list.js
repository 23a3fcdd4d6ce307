// The list: filters, cards or a table, pages.
import { here, listAddress, rolloutAddress, STATUSES } from "./address.js";
import { ask, namespaceOf, offersOf } from "./changes.js";
import { ago, countdown, lasting } from "./clock.js";
import { el, renderKeyed, toast } from "./dom.js";
import { keyOf, PART_OF, select } from "./matching.js";
import { badge, copyable, plural, role, weightBar } from "./pieces.js";
import { favourites, toggleFavourite } from "./preferences.js";

const LOOK_AGAIN = 3000;
const CARDS = 60;
const LINES = 50;
// Each column: its name, and the order that it sorts by.
const COLUMNS = [[""], ["Name", "name"], ["Version"], ["Step", "step"], ["Weight", "weight"], ["ReplicaSets"], ["Status", "status"], ["Since", "since"], ["Actions"]];
const SORTS = [["attention", "urgency"], ["name", "name"], ["status", "status"], ["step", "step"], ["weight", "weight"], ["since", "newest change"]];

export class List {
  // `go(address, replace)` changes the page's address.
  constructor(main, world, go) {
    this.main = main;
    this.world = world;
    this.go = go;
    this.looking = new Set();
    this.#frame();
  }

  #frame() {
    this.search = el("input", { type: "search", id: "search", "aria-label": "Search: name, \"exact name\", !not, label:value; comma means or",
      placeholder: "name, \"exact\", !not, label:value", value: here().name, autocomplete: "off" });
    this.search.addEventListener("input", () => this.#want({ name: this.search.value, page: 1 }, true));
    this.chips = el("div", { class: "chips", role: "group", "aria-label": "Show only" });
    this.mode = el("button", { type: "button", "data-focus": "mode" });
    this.mode.addEventListener("click", () => this.#want({ table: !here().table, page: 1 }));
    this.sort = el("select", { id: "sort" }, SORTS.map(([id, label]) => el("option", { value: id }, label)));
    this.sort.addEventListener("change", () => this.#want({ sort: this.sort.value, page: 1 }));
    this.heading = el("div", { class: "release" });
    this.body = el("div");
    this.pager = el("nav", { class: "pager", "aria-label": "Pages" });
    this.main.replaceChildren(this.heading, el("div", { class: "filters", role: "search" }, this.search, el("label", { class: "tool" }, "Sort ", this.sort), this.mode, this.chips), this.body, this.pager);
  }

  #want(change, replace = false) {
    this.go(listAddress({ ...here(), ...change }), replace);
  }

  render() {
    const wanted = here();
    const liked = favourites();
    const { shown, counts, inside, total } = select([...this.world.rows.values()], wanted, liked);
    if (document.activeElement !== this.search && this.search.value !== wanted.name) this.search.value = wanted.name;
    this.mode.textContent = wanted.table ? "Cards" : "Table";
    this.mode.title = wanted.table ? "Show cards" : "Show a table";
    this.sort.value = wanted.sort;
    this.#renderHeading(wanted, inside);
    this.#renderChips(wanted, counts);
    const nothing = this.world.nothing(total, shown.length, wanted);
    if (nothing) {
      const print = JSON.stringify(nothing);
      if (this.body.firstElementChild?.dataset.print !== print) {
        this.body.replaceChildren(el("div", { class: "empty", "data-print": print }, nothing.map((part) => (part.command ? copyable(part.command) : part.heading ? el("h2", {}, part.heading) : el("p", {}, part)))));
      }
      if (wanted.ns && !total && this.world.whole) this.#look(wanted.ns);
      this.pager.replaceChildren();
      this.pager.dataset.text = "";
      return;
    }
    const size = wanted.table ? LINES : CARDS;
    const pages = Math.max(1, Math.ceil(shown.length / size));
    const page = Math.min(wanted.page, pages);
    const rows = shown.slice((page - 1) * size, page * size).map((row) => ({ ...row, liked: liked.has(keyOf(row)), readOnly: this.world.readOnly }));
    if (wanted.table) this.#renderTable(rows, wanted);
    else this.#renderCards(rows);
    this.#renderPager(page, pages, shown.length, total);
  }

  // Whether a namespace without Rollouts exists, asked again from time to time while its view is open.
  async #look(ns) {
    if (this.looking.has(ns)) return;
    this.looking.add(ns);
    this.world.namespaces.set(ns, await namespaceOf(ns).catch((error) => ({ found: "unknown", why: error.message })));
    setTimeout(() => { this.looking.delete(ns); if (this.body.isConnected) this.render(); }, LOOK_AGAIN);
    if (this.body.isConnected) this.render();
  }

  // Of a release: who is where, and what waits.
  #renderHeading({ release }, rows) {
    const states = new Map();
    for (const row of rows.toSorted((a, b) => a.urgency - b.urgency)) {
      const state = row.person ? "waiting for a person" : row.status;
      states.set(state, (states.get(state) ?? 0) + 1);
    }
    const text = [...states].map(([state, count]) => `${count} ${state}`).join(", ");
    const print = `${release} ${text}`;
    if (this.heading.dataset.print === print) return;
    this.heading.dataset.print = print;
    if (release) this.heading.replaceChildren(el("h1", {}, `Release ${release}`), el("p", { class: "soft" }, text));
    else this.heading.replaceChildren(el("h1", { class: "unseen" }, "Rollouts"));
  }

  #renderChips(wanted, counts) {
    const kinds = [["favourites", "★ Favourites"], ["attention", "Needs attention"]];
    const items = [
      ...kinds.map(([id, label]) => ({ id, label, on: wanted[id], count: counts[id], change: { [id]: !wanted[id], page: 1 } })),
      ...STATUSES.map((status) => {
        const on = wanted.statuses.includes(status);
        const statuses = on ? wanted.statuses.filter((s) => s !== status) : [...wanted.statuses, status];
        return { id: status, label: status, on, count: counts[status] ?? 0, change: { statuses, page: 1 } };
      }),
    ];
    renderKeyed(this.chips, items, (item) => item.id, (item) => {
      const chip = el("button", { type: "button", class: "chip", "aria-pressed": String(item.on), "data-focus": item.id },
        `${item.label} `, el("span", { class: "count" }, item.count));
      // One button is replaced as a whole: it is its own focus.
      chip.addEventListener("click", () => { this.#want(item.change); this.chips.querySelector(`[data-key="${item.id}"]`)?.focus(); });
      return chip;
    });
  }

  #renderCards(rows) {
    let cards = this.body.querySelector("ul.cards");
    if (!cards) {
      cards = el("ul", { class: "cards" });
      this.body.replaceChildren(cards);
    }
    renderKeyed(cards, rows, keyOf, (row) => this.#card(row));
  }

  #card(row) {
    return el("li", { class: "card", "data-item": keyOf(row) },
      el("header", {}, this.#star(row), el("h2", {}, this.#link(row)), badge(row.icon, row.status)),
      el("div", { class: "where" }, row.ns, since(row, " · "), row.by ? ` · by ${row.by}` : null, partOf(row)),
      el("div", { class: "made" }, version(row)),
      why(row),
      el("div", { class: "pair" }, el("span", {}, row.strategy, row.step ? ` · step ${row.step}` : ""), weightText(row)),
      split(row) ? weightBar(row.weight, row.actual) : null,
      sets(row, true),
      this.#buttons(row));
  }

  #renderTable(rows, wanted) {
    let table = this.body.querySelector("table");
    if (!table) {
      table = el("table", { class: "stacks", role: "table" }, el("caption", { class: "unseen" }, "Rollouts"), el("thead", { role: "rowgroup" }), el("tbody", { role: "rowgroup" }));
      this.body.replaceChildren(el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of Rollouts" }, table));
    }
    renderKeyed(table.tHead, [wanted.sort], () => "head", () => el("tr", { role: "row" }, COLUMNS.map(([name, id]) => this.#column(name, id, wanted))));
    renderKeyed(table.tBodies[0], rows, keyOf, (row) => this.#line(row));
  }

  #column(name, id, wanted) {
    const cell = el("th", { scope: "col", role: "columnheader", "aria-sort": id && wanted.sort === id ? (["name", "status"].includes(id) ? "ascending" : "descending") : null });
    if (!id) cell.append(name || el("span", { class: "unseen" }, "Favourite"));
    else {
      const button = el("button", { type: "button", class: "plain", "data-focus": `sort-${id}` }, name, wanted.sort === id ? " ▾" : "");
      button.addEventListener("click", () => this.#want({ sort: wanted.sort === id ? "attention" : id, page: 1 }));
      cell.append(button);
    }
    return cell;
  }

  #line(row) {
    const cells = [
      this.#star(row),
      [this.#link(row), el("div", { class: "where" }, row.ns, partOf(row))],
      version(row),
      row.step || "–",
      split(row) ? [weightText(row), weightBar(row.weight, row.actual)] : weightText(row) ?? "–",
      sets(row, false),
      [badge(row.icon, row.status), why(row)],
      [since(row), row.by ? el("div", { class: "where" }, `by ${row.by}`) : null],
      this.#buttons(row),
    ];
    return el("tr", { "data-item": keyOf(row), role: "row" }, cells.map((cell, i) => el("td", { role: "cell", class: i === 4 ? "weight" : null, "data-name": i === 7 ? null : COLUMNS[i][0] }, cell)));
  }

  #star(row) {
    const star = el("button", { type: "button", class: "star", "aria-pressed": String(row.liked), "data-focus": "star",
      "aria-label": `Favourite: ${row.name}` }, row.liked ? "★" : "☆");
    star.addEventListener("click", () => { toggleFavourite(keyOf(row)); this.render(); });
    return star;
  }

  #link(row) {
    return el("a", { href: rolloutAddress(row), "data-link": "", "data-focus": "name", "data-main": "" }, row.name);
  }

  #buttons(row) {
    if (row.readOnly) return null;
    return el("div", { class: "buttons" }, row.offers.map((id) => {
      const label = id[0].toUpperCase() + id.slice(1);
      const button = el("button", { type: "button", "data-focus": id, "data-offer": id, "aria-label": `${label} ${row.name}` }, label);
      button.addEventListener("click", () => this.#offer(row, id));
      return button;
    }));
  }

  // What the action does is asked for when it is wanted: the list need not know it for every line.
  async #offer(row, id) {
    try {
      const rollout = await offersOf(row);
      const offer = rollout.offers.find((found) => found.id === id);
      if (rollout.readOnly) toast(rollout.readOnly, true);
      else if (offer.blocked) toast(`${offer.label}: ${offer.blocked}.`, offer.hidden);
      else ask(rollout, offer);
    } catch (error) {
      toast(error.message, true);
    }
  }

  #renderPager(page, pages, shown, total) {
    const turn = (to, label) => {
      const button = el("button", { type: "button", "aria-disabled": to < 1 || to > pages ? "true" : null }, label);
      button.addEventListener("click", () => { if (to >= 1 && to <= pages) { this.#want({ page: to }); scrollTo(0, 0); } });
      return button;
    };
    const count = shown === total ? plural(total, "Rollout") : `${shown} of ${plural(total, "Rollout")}`;
    const text = el("span", { class: "soft count" }, pages > 1 ? `Page ${page} of ${pages}, ${count}` : count);
    if (this.pager.dataset.text === text.textContent) return;
    this.pager.dataset.text = text.textContent;
    this.pager.replaceChildren(...(pages > 1 ? [turn(page - 1, "Previous"), text, turn(page + 1, "Next")] : [text]));
  }
}

// The revision and the images of the version that is wanted: the new one, or the stable one when no update is under way.
function version(row) {
  const of = (...roles) => row.sets.find((set) => set.roles.some((one) => roles.includes(one)));
  const images = (of("canary", "preview") ?? of("stable", "active") ?? row.sets[0])?.images ?? [];
  return [row.revision ? `Rev ${row.revision} ` : null, el("span", { class: "mono" }, images.map(tag).join(", "))];
}

// The last part of an image's path, with its tag: what tells two versions apart.
function tag(image) {
  return image.slice(image.lastIndexOf("/") + 1).replace(/@sha256:(.{12}).*/, "@$1");
}

function since(row, before = "") {
  return row.since ? [before, row.status === "Healthy" ? ago(row.since) : lasting(row.since)] : null;
}

function partOf(row) {
  const name = row.labels[PART_OF];
  return name ? [" · part of ", el("a", { href: listAddress({ release: name }), "data-link": "", "data-focus": "part" }, name)] : null;
}

// Whether two versions share the traffic.
function split(row) {
  return row.weight !== null && row.sets.some((set) => set.roles.includes("canary"));
}

function why(row) {
  const text = row.why || row.message.replace(/^RolloutAborted: /, "");
  return text ? el("div", { class: "why" }, text, row.until ? [", ", countdown(row.until)] : null) : null;
}

function weightText(row) {
  if (row.weight === null) return null;
  return el("span", {}, row.weight === row.actual ? `weight ${row.weight}` : `weight ${row.weight} set, ${row.actual} observed`);
}

function sets(row, pods) {
  if (!row.sets.length) return null;
  return el("ul", { class: "sets" }, row.sets.map((set) => el("li", {},
    `Rev ${set.revision} (${set.available}/${set.replicas})`, set.roles.map(role),
    pods ? el("span", { class: "pods" }, set.pods.map(([icon, status, name]) => el("span", { role: "img", title: `${name}: ${status}`, "aria-label": `pod ${status}` }, icon)),
      set.more ? ` +${set.more}` : null) : null)));
}
