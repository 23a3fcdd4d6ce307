// Asking before a change: its effect, the command that does the same, and only then the request. The request names what
// was on the screen, so that a Rollout which has moved on is not changed by mistake.
import { el, toast } from "./dom.js";
import { copyable, words } from "./pieces.js";

async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`api/ui/v1/${path}`, options);
  } catch {
    throw new Error("The dashboard's server does not answer. Is it still running?");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `the server answered ${answer.status}`);
  return body;
}

function place(rollout) {
  return `rollouts/${encodeURIComponent(rollout.ns)}/${encodeURIComponent(rollout.name)}`;
}

export async function logOf(ns, job) {
  return (await call(`jobs/${encodeURIComponent(ns)}/${encodeURIComponent(job)}/log`)).log;
}

export async function namespaceOf(ns) {
  return call(`namespaces/${encodeURIComponent(ns)}`);
}

export async function offersOf(row) {
  return call(place(row));
}

// A button for an offer; one that is blocked says why when it is pressed.
export function offerButton(rollout, offer, extra = {}) {
  const button = el("button", {
    type: "button",
    class: offer.blocked ? "" : offer.heavy ? "danger" : offer.id === "promote" ? "main" : "",
    "data-focus": offer.id,
    "data-offer": offer.id,
    "aria-disabled": offer.blocked ? "true" : null,
    title: offer.blocked ? `Not now: ${offer.blocked}` : offer.effect,
    ...extra,
  }, offer.label);
  button.addEventListener("click", () => {
    if (offer.blocked) toast(`${offer.label}: ${offer.blocked}.`);
    else ask(rollout, offer);
  });
  return button;
}

export function ask(rollout, offer) {
  confirm(rollout, offer, {}, []);
}

export function askImage(rollout, container) {
  const input = el("input", { name: "image", value: container.image, autocomplete: "off", spellcheck: "false", required: true });
  const field = el("label", { class: "field" }, `Image of ${container.name}`, input);
  const body = () => ({ container: container.name, image: input.value.trim() });
  const { command } = container.offer;
  const after = command.lastIndexOf(" -n ");
  const typed = () => `${command.slice(0, after)} ${quoted(`${container.name}=${input.value.trim()}`)}${command.slice(after)}`;
  const dialog = confirm(rollout, { ...container.offer, command: typed() }, body, [field], () => checkImage(input.value.trim(), container.image));
  input.addEventListener("input", () => { dialog.querySelector(".command code").replaceChildren(...words(typed()).filter(Boolean)); });
  input.select();
}

function checkImage(image, before) {
  if (!image || /\s/.test(image)) return "Write an image, such as web:2.";
  if (!/[:@][^/]+$/.test(image)) return "Name the version too: image:tag.";
  return image === before ? "This is the image that it has." : "";
}

function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\"'\"'")}'`;
}

function confirm(rollout, offer, body, fields, check = () => "") {
  const wrong = el("p", { class: "wrong", role: "alert" });
  const yes = el("button", { type: "submit", class: offer.heavy ? "danger" : "main" }, offer.label);
  const no = el("button", { type: "button", value: "no" }, "Cancel");
  const form = el("form", { method: "dialog" },
    el("h2", { id: "ask" }, `${offer.label}: ${rollout.name}?`),
    el("p", { id: "effect" }, offer.effect), fields, copyable(offer.command), wrong,
    el("div", { class: "buttons" }, no, yes));
  const dialog = el("dialog", { "aria-labelledby": "ask", "aria-describedby": "effect" }, form);
  const before = document.activeElement;
  const focus = before?.dataset?.focus;
  no.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    const back = before?.isConnected ? before : focus && document.querySelector(`[data-focus="${CSS.escape(focus)}"]`);
    back?.focus?.();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (yes.getAttribute("aria-disabled")) return;
    wrong.textContent = check();
    if (wrong.textContent) return;
    yes.setAttribute("aria-disabled", "true");
    try {
      await send(rollout, offer, typeof body === "function" ? body() : body);
      dialog.close();
      happened(rollout, toast(`${offer.label}: ${rollout.name}, done.`));
    } catch (error) {
      wrong.textContent = error.message;
      yes.removeAttribute("aria-disabled");
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  if (!fields.length) (offer.heavy ? no : yes).focus();
  return dialog;
}

// What came of a change: the state, in the note of the change, as long as that is shown.
async function happened(rollout, note) {
  const done = note.textContent;
  const state = (r) => JSON.stringify([r.status, r.step, r.seen, r.box.reasons[0]?.message]);
  for (; note.isConnected; await new Promise((wake) => { setTimeout(wake, 400); })) {
    const after = await call(place(rollout)).catch(() => null);
    if (!after || state(after) === state(rollout)) continue;
    const why = after.box.reasons[0]?.message;
    note.textContent = `${done} It is ${after.status} now${after.step ? `, step ${after.step}` : ""}${why ? `: ${why}` : ""}.`;
  }
}

async function send(rollout, offer, body) {
  const [action, revision] = offer.id.split("/");
  const asked = { ...rollout.seen, ...body, ...(revision ? { revision: Number(revision) } : {}) };
  await call(`${place(rollout)}/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(asked),
  });
}
