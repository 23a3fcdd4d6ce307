// What the user chose, kept in this browser. Where storage is forbidden it lasts as long as the page.
const PREFIX = "serinus.";
const memory = new Map();

export function preference(name, otherwise) {
  try {
    return localStorage.getItem(PREFIX + name) ?? memory.get(name) ?? otherwise;
  } catch {
    return memory.get(name) ?? otherwise;
  }
}

export function prefer(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch { /* kept in memory */ }
}

export function favourites() {
  try {
    const kept = JSON.parse(preference("favourites", "[]"));
    return new Set(Array.isArray(kept) ? kept.map(String) : []);
  } catch {
    return new Set();
  }
}

export function toggleFavourite(key) {
  const kept = favourites();
  if (!kept.delete(key)) kept.add(key);
  prefer("favourites", JSON.stringify([...kept]));
}
