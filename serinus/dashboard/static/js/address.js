// The page's address: which view, and in its query what is filtered. It can be pasted in a chat.
const base = new URL(document.baseURI).pathname;

export const STATUSES = ["Progressing", "Degraded", "Paused", "Healthy"];

export function here() {
  const parts = location.pathname.slice(base.length).split("/").filter(Boolean).map(decodeURIComponent);
  const query = new URLSearchParams(location.search);
  if (parts[0] === "rollout" && parts.length > 1) {
    const name = parts.at(-1);
    return { view: "rollout", ns: parts.length > 2 ? parts[1] : "default", name };
  }
  const release = parts[0] === "release" && parts.length === 2 ? parts[1] : "";
  return {
    view: "list",
    release,
    ns: release ? "" : parts[0] ?? "",
    sort: query.get("sort") ?? "attention",
    name: query.get("name") ?? "",
    statuses: STATUSES.filter((status) => query.get(status) === "true"),
    favourites: query.get("favorites") === "true",
    attention: query.get("attention") === "true",
    table: (query.get("displayMode") ?? (release ? "table" : "")) === "table",
    page: Math.max(1, Number.parseInt(query.get("page") ?? "1", 10) || 1),
  };
}

export function listAddress(wanted) {
  const query = new URLSearchParams();
  if (wanted.name) query.set("name", wanted.name);
  for (const status of wanted.statuses ?? []) query.set(status, "true");
  if (wanted.favourites) query.set("favorites", "true");
  if (wanted.attention) query.set("attention", "true");
  if (wanted.table !== undefined && wanted.table !== Boolean(wanted.release)) query.set("displayMode", wanted.table ? "table" : "cards");
  if (wanted.sort && wanted.sort !== "attention") query.set("sort", wanted.sort);
  if (wanted.page > 1) query.set("page", wanted.page);
  const text = query.toString();
  const place = wanted.release ? `release/${encodeURIComponent(wanted.release)}` : encodeURIComponent(wanted.ns ?? "");
  return base + place + (text ? `?${text}` : "");
}

export function rolloutAddress(row) {
  return `${base}rollout/${encodeURIComponent(row.ns)}/${encodeURIComponent(row.name)}`;
}
