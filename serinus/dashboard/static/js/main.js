// Puts the page together: the address decides the view, one stream feeds it, the keyboard moves through it.
import { here } from "./address.js";
import { ago, now, renewTimes, serverSays } from "./clock.js";
import { el } from "./dom.js";
import { listen } from "./keys.js";
import { List } from "./list.js";
import { keyOf } from "./matching.js";
import { prefer, preference } from "./preferences.js";
import { RolloutPage } from "./rollout.js";
import { Stream } from "./stream.js";
import { World } from "./world.js";

const BETWEEN = 200; // milliseconds between two pictures of a list that is still filling

const main = document.getElementById("main");
const notice = document.getElementById("notice");
const namespace = document.getElementById("namespace");
const world = new World();
let page = null;
let feed = null;
let planned = false;
let later = null;
let drawnAt = -Infinity;

const stream = new Stream({
  state: (state) => { world.takeState(state); soon(); },
  rows: (change) => soon(world.takeRows(change)),
  rollout: (rollout) => { world.rollout = rollout ?? (world.state.view === "ok" ? null : undefined); soon(); },
}, () => world.begin(), (reason) => {
  if (!world.lost) world.lostAt = now();
  world.lost = reason;
  soon();
});

// Many changes within one frame are one picture. While thousands of new lines come in, a picture for each frame would take
// the time of all other work; a change of a line that is there already does not wait for them.
function soon(more = false) {
  const frame = () => requestAnimationFrame(() => { planned = false; draw(); });
  if (more && page instanceof List && !world.whole) later ??= setTimeout(() => { later = null; soon(); }, drawnAt + BETWEEN - performance.now());
  else if (!planned) {
    planned = true;
    frame();
  }
}

function draw() {
  drawnAt = performance.now();
  drawNotice();
  drawNamespaces();
  if (page instanceof List) page.render();
  else page.render(world.rollout, world);
}

function drawNotice() {
  const { view, reason, since, confined, parts } = world.state;
  let text = [];
  if (world.lost) text = ["Stale since ", ago(world.lostAt), `: ${world.lost}.`];
  else if (view === "stale") text = ["Stale since ", ago(since), `: ${reason}. Trying again.`];
  else if (confined) text = [`Only namespace ${world.state.namespace} is shown: ${confined}`];
  else if (parts?.length) text = [`Not everything is shown. ${parts.map((part) => `${part.what}: ${part.why}`).join("; ")}`];
  const print = JSON.stringify([world.lost, view, reason, since, confined, parts]);
  if (notice.dataset.print === print) return;
  notice.dataset.print = print;
  notice.hidden = !text.length;
  notice.replaceChildren(...text);
}

function drawNamespaces() {
  const place = here();
  const names = [...new Set([...world.rows.values()].map((row) => row.ns).concat(place.ns || []))].sort();
  const print = JSON.stringify([names, place.view, place.ns]);
  if (namespace.dataset.print === print) return;
  namespace.dataset.print = print;
  namespace.replaceChildren(el("option", { value: "" }, "all"), ...names.map((name) => el("option", { value: name }, name)));
  namespace.value = place.ns;
}

function route() {
  const place = here();
  const wanted = place.view === "rollout" ? `?rollout=${encodeURIComponent(keyOf(place))}` : "";
  if (place.view === "rollout") {
    document.title = `${place.name} · Rollouts`;
    if (feed !== wanted) {
      world.rollout = undefined;
      page = new RolloutPage(main, place);
    }
  } else {
    document.title = place.release ? `Release ${place.release} · Rollouts` : "Rollouts";
    if (!(page instanceof List)) page = new List(main, world, go);
  }
  if (feed !== wanted) {
    feed = wanted;
    // The first picture comes before the stream, which brings thousands of lines.
    if (page instanceof List && world.rows.size) requestAnimationFrame(() => setTimeout(() => { if (feed === wanted) stream.open(wanted); }));
    else stream.open(wanted);
  }
  draw();
}

// The most urgent lines come with the page.
function begin() {
  const first = JSON.parse(document.getElementById("first").textContent);
  if (!first) return;
  serverSays(first.state.now);
  world.takeState(first.state);
  world.takeRows({ rows: first.rows, gone: [], all: false });
}

function go(address, replace = false) {
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  const before = page;
  route();
  if (page !== before) { main.focus({ preventScroll: true }); scrollTo(0, 0); }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-link]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(link.href);
});
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
namespace.addEventListener("change", () => go(new URL(encodeURIComponent(namespace.value) || "./", document.baseURI).href));
addEventListener("popstate", route);

const theme = document.getElementById("theme");
theme.value = preference("theme", "system");
theme.addEventListener("change", () => {
  prefer("theme", theme.value);
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});
const times = document.getElementById("times");
times.value = preference("times", "relative");
times.addEventListener("change", () => { prefer("times", times.value); renewTimes(); });

listen({ go, back: () => (here().view === "rollout" ? go(new URL("./", document.baseURI).href) : null) });
begin();
route();
