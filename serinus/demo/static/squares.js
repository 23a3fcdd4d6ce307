"use strict";
// Fifty requests a second, one square each, and who answered them in the last minute.
const PER_SECOND = 50, WINDOW = 60, MAX_OPEN = 200, SIDE = 26, GAP = 3;
const PAINT = { red: "#d9363e", orange: "#f08c2e", yellow: "#f2c94c", green: "#3da35d", blue: "#3478c6", purple: "#8a5cc2", "": "#9aa0a6" };
const canvas = document.getElementById("squares"), pen = canvas.getContext("2d");
const byId = (id) => document.getElementById(id);
const squares = [];           // newest first: { color, failed }
const seconds = new Map();    // second -> Map(color -> { ok, failed }): the last minute, bounded
const seen = new Set();
let open = 0, dirty = true;

function wishes() {
  const which = byId("which").value, errors = +byId("errors").value, length = +byId("delay").value, percent = +byId("delayed").value;
  if (!errors && !length) return null;
  const colors = which ? [which] : [...seen].filter(Boolean);
  return JSON.stringify(colors.map((color) => ({ color, return500: errors, delayPercent: length ? percent : 0, delayLength: length })));
}

function note(color, failed) {
  squares.unshift({ color, failed });
  const room = Math.ceil(innerWidth / (SIDE + GAP)) * Math.ceil(innerHeight / (SIDE + GAP));
  if (squares.length > room) squares.length = room;
  const now = Math.floor(Date.now() / 1000);
  if (!seconds.has(now)) seconds.set(now, new Map());
  const counts = seconds.get(now);
  if (!counts.has(color)) counts.set(color, { ok: 0, failed: 0 });
  counts.get(color)[failed ? "failed" : "ok"]++;
  for (const second of seconds.keys()) if (second <= now - WINDOW) seconds.delete(second);
  if (color && !seen.has(color)) {
    seen.add(color);
    byId("which").append(new Option(color, color));
  }
  dirty = true;
}

async function ask() {
  if (open >= MAX_OPEN) return;
  open++;
  try {
    const body = wishes();
    const answer = await fetch("color", { method: body ? "POST" : "GET", body, cache: "no-store", signal: AbortSignal.timeout(30000) });
    let color = "";
    try { color = await answer.json(); } catch { /* the gateway's own error page */ }
    note(typeof color === "string" && color in PAINT ? color : "", !answer.ok);
  } catch {
    note("", true);
  } finally {
    open--;
  }
}

function draw() {
  requestAnimationFrame(draw);
  if (!dirty) return;
  dirty = false;
  const ratio = devicePixelRatio || 1, width = innerWidth, height = innerHeight;
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) { canvas.width = width * ratio; canvas.height = height * ratio; }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const columns = Math.max(1, Math.floor((width - GAP) / (SIDE + GAP)));
  squares.forEach(({ color, failed }, i) => {
    const x = GAP + (i % columns) * (SIDE + GAP), y = GAP + Math.floor(i / columns) * (SIDE + GAP);
    pen.fillStyle = PAINT[color];
    pen.fillRect(x, y, SIDE, SIDE);
    if (!failed) return;
    pen.strokeStyle = "#fff"; pen.lineWidth = 4;
    pen.beginPath(); pen.moveTo(x + 6, y + 6); pen.lineTo(x + SIDE - 6, y + SIDE - 6);
    pen.moveTo(x + SIDE - 6, y + 6); pen.lineTo(x + 6, y + SIDE - 6); pen.stroke();
  });
}

function tell() {
  const sums = new Map();
  let total = 0, failures = 0;
  for (const counts of seconds.values()) for (const [color, { ok, failed }] of counts) {
    const sum = sums.get(color) || { ok: 0, failed: 0 };
    sum.ok += ok; sum.failed += failed; sums.set(color, sum);
    total += ok + failed; failures += failed;
  }
  byId("rows").replaceChildren(...[...sums].sort().map(([color, { ok, failed }]) => {
    const row = document.createElement("tr"), share = 100 * (ok + failed) / total;
    row.innerHTML = `<td>${color || "no answer"}</td><td class="bar"><i style="width:${share}%;background:${PAINT[color]}"></i></td>` +
      `<td class="percent">${share.toFixed(0)} %</td><td>${failed ? `${failed} × failed` : ""}</td>`;
    return row;
  }));
  byId("total").textContent = `${total} answers, ${failures} failed`;
}

for (const [id, unit] of [["errors", " %"], ["delay", " s"], ["delayed", " %"]]) {
  byId(id).addEventListener("input", (event) => { event.target.nextElementSibling.value = event.target.value + unit; });
}
addEventListener("resize", () => { dirty = true; });
setInterval(ask, 1000 / PER_SECOND);
setInterval(tell, 500);
draw();
