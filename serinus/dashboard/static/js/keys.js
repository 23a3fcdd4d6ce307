// The keyboard. No key changes traffic: those that lead to a change open the question about it.
import { here, listAddress } from "./address.js";
import { el } from "./dom.js";

const KEYS = [
  ["/", "search"],
  ["j, ↓ and k, ↑", "next and previous Rollout"],
  ["Enter", "open"],
  ["Esc", "back, close, or empty the search"],
  ["?, Shift+H", "this help"],
  ["g l", "the list"],
  ["g v", "cards or table"],
  ["g s", "favourites only"],
  ["g p, g f", "on a Rollout's page: ask about promote, promote full"],
  ["g a, g t", "ask about abort, retry"],
  ["g r, g h", "ask about restart, pause (hold)"],
];
const OFFERS = { p: "promote", f: "promote-full", a: "abort", t: "retry", r: "restart", h: "pause" };

export function listen({ go, back }) {
  let after = "";
  let forget;

  document.getElementById("help").addEventListener("click", help);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const writing = event.target.matches("input, textarea, select");
    if (event.key === "Escape") {
      if (writing) {
        // It empties the search and what the search has filtered.
        if (event.target.id === "search" && event.target.value) {
          event.target.value = "";
          event.target.dispatchEvent(new Event("input"));
        }
        event.target.blur();
      }
      else back();
      return;
    }
    if (writing) {
      if (event.target.id === "search" && (event.key === "ArrowDown" || event.key === "Enter")) { move(1); event.preventDefault(); }
      return;
    }
    if (press(after + event.key)) event.preventDefault();
    after = after ? "" : event.key === "g" ? "g" : "";
    clearTimeout(forget);
    forget = setTimeout(() => { after = ""; }, 1500);
  });

  // Whether the key meant something.
  function press(keys) {
    if (keys === "?" || keys === "H") help();
    else if (keys === "/") {
      if (here().view !== "list") go(listAddress({ ns: "" }));
      document.getElementById("search")?.focus();
    } else if (keys === "j" || keys === "ArrowDown") return move(1);
    else if (keys === "k" || keys === "ArrowUp") return move(-1);
    else if (keys === "gl") go(listAddress({ ns: "" }));
    else if (keys === "gv" && here().view === "list") go(listAddress({ ...here(), table: !here().table, page: 1 }));
    else if (keys === "gs" && here().view === "list") go(listAddress({ ...here(), favourites: !here().favourites, page: 1 }));
    else if (keys.length === 2 && keys[0] === "g" && OFFERS[keys[1]] && here().view === "rollout") {
      document.querySelector(`[data-offer="${OFFERS[keys[1]]}"]`)?.click();
    } else return false;
    return true;
  }
}

function move(by) {
  const links = [...document.querySelectorAll("[data-main]")];
  if (!links.length) return false;
  const item = document.activeElement?.closest("[data-item]");
  const at = item ? links.findIndex((link) => item.contains(link)) : by > 0 ? -1 : links.length;
  links[Math.min(links.length - 1, Math.max(0, at + by))].focus();
  return true;
}

function help() {
  const close = el("button", { type: "submit", class: "main" }, "Close");
  const dialog = el("dialog", { "aria-labelledby": "keys" }, el("form", { method: "dialog" },
    el("h2", { id: "keys" }, "Keys"),
    el("dl", { class: "keys" }, KEYS.flatMap(([keys, what]) => [el("dt", {}, el("kbd", {}, keys)), el("dd", {}, what)])),
    el("div", { class: "buttons" }, close)));
  const before = document.activeElement;
  dialog.addEventListener("close", () => { dialog.remove(); before?.focus?.(); });
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}
