// Times as people read them, by the server's clock: that of the browser may be wrong.
import { preference } from "./preferences.js";

let ahead = 0;

export function serverSays(seconds) {
  ahead = seconds - Date.now() / 1000;
}

export function now() {
  return Date.now() / 1000 + ahead;
}

export function length(seconds) {
  const s = Math.max(0, Math.round(seconds));
  const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "m"], [s % 60, "s"]];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return "0s";
  return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, unit]) => n + unit).join(" ");
}

function absolute(seconds) {
  const date = new Date(seconds * 1000);
  if (preference("times", "relative") === "utc") return date.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
  return date.toLocaleString();
}

// <time> that says how long ago, or when, as the user prefers; it is renewed every second.
export function ago(seconds) {
  const time = document.createElement("time");
  if (!seconds) return time;
  time.dateTime = new Date(seconds * 1000).toISOString();
  time.dataset.ago = seconds;
  time.title = absolute(seconds);
  show(time);
  return time;
}

// <time> that says for how long something has lasted.
export function lasting(since) {
  const time = ago(since);
  time.dataset.lasting = "";
  show(time);
  return time;
}

// <time> that counts down.
export function countdown(until) {
  const time = document.createElement("time");
  time.dateTime = new Date(until * 1000).toISOString();
  time.dataset.until = until;
  time.title = absolute(until);
  time.className = "left";
  show(time);
  return time;
}

function show(time) {
  const { ago: since, until } = time.dataset;
  let text;
  if (until) {
    const left = Number(until) - now();
    text = left > 0 ? `${length(left)} left` : "due now";
  } else if ("lasting" in time.dataset) {
    text = preference("times", "relative") === "relative" ? `for ${length(now() - Number(since))}` : `since ${absolute(Number(since))}`;
  } else {
    text = preference("times", "relative") === "relative" ? `${length(now() - Number(since))} ago` : absolute(Number(since));
  }
  if (time.textContent !== text) time.textContent = text;
}

export function renewTimes() {
  for (const time of document.querySelectorAll("time[data-ago], time[data-until]")) show(time);
}

setInterval(renewTimes, 1000);
