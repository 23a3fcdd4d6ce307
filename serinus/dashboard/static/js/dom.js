// Elements from values. Text only ever becomes text nodes and attributes are set by name, so nothing that an object
// holds can become markup.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// The same for a part of a picture.
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children.flat(3));
  return element;
}

// Makes the children of `parent` those of `items`, in order. What did not change stays the same element: scroll
// position, focus and open details survive. Focus moves on to the element that takes a focused one's place.
export function renderKeyed(parent, items, keyOf, make) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const print = JSON.stringify(item);
    let child = before.get(key);
    before.delete(key);
    if (!child || child.print !== print) {
      const fresh = make(item);
      fresh.dataset.key = key;
      fresh.print = print;
      if (child) {
        if (place === child) place = fresh;
        swap(child, fresh);
      }
      child = fresh;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const gone of before.values()) gone.remove();
}

// Replaces an element; the focus goes to the same control of the new one (`data-focus`), open details stay open.
export function swap(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement.closest("[data-focus]") : null;
  for (const open of old.querySelectorAll("details[open][data-open]")) {
    fresh.querySelector(`details[data-open="${CSS.escape(open.dataset.open)}"]`)?.setAttribute("open", "");
  }
  old.replaceWith(fresh);
  if (focused) fresh.querySelector(`[data-focus="${CSS.escape(focused.dataset.focus)}"]`)?.focus();
}

export function toast(text, bad = false) {
  const note = el("div", { class: bad ? "toast bad" : "toast" }, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), bad ? 15000 : 8000);
  return note;
}

// Said to screen readers, not shown.
export function announce(text) {
  document.getElementById("live").textContent = text;
}
