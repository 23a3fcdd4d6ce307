// Small parts that the list and the Rollout's page share.
import { el } from "./dom.js";

// Few fonts have the command line's sign for a pause.
const SIGNS = { "॥": "‖" };

export function badge(icon, word) {
  return el("span", { class: `status ${word.replace(/[^A-Za-z]/g, "")}` }, el("span", { "aria-hidden": "true" }, SIGNS[icon] ?? icon.trim()), word || "unknown");
}

// The canary's share: the fill is what is observed, the mark what was set.
export function weightBar(set, actual, whole = 100) {
  const fill = el("span", { class: "fill" });
  const mark = el("span", { class: "mark" });
  fill.style.width = `${(100 * actual) / whole}%`;
  mark.style.left = `${(100 * set) / whole}%`;
  const label = `New version: ${share(set, whole)} set, ${share(actual, whole)} observed`;
  return el("div", { class: "bar", role: "img", "aria-label": label, title: label }, fill, set === actual ? null : mark);
}

export function share(weight, whole = 100) {
  return whole === 100 ? `${weight} %` : `${weight}/${whole}`;
}

export function panel(title, ...children) {
  return el("section", { class: "panel", "aria-label": title }, el("h2", {}, title), children);
}

export function role(name) {
  return el("span", { class: `role ${name}` }, name);
}

export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

// A command that breaks between its words, and inside one only where it is wider than the page.
export function words(command) {
  return command.split(" ").flatMap((word, i) => [i ? " " : null, el("span", { class: "word" }, word)]);
}

export function copyable(command) {
  const lines = command.includes("\n");
  const code = el("code", { class: lines ? "lines" : null }, lines ? command : words(command));
  const button = el("button", { type: "button", "data-copy": "" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return el("div", { class: "command" }, code, button);
}
