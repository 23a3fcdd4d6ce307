// Which Rollouts are shown. Words are OR-ed, separated by commas: a part of the name, "the whole name", !not, label:value.

export function keyOf(row) {
  return `${row.ns}/${row.name}`;
}

export const PART_OF = "app.kubernetes.io/part-of";

export function needsAttention(row) {
  return row.urgency < 2;
}

// The orders of the list; each falls back to the name.
const ORDERS = {
  attention: (a, b) => a.urgency - b.urgency,
  name: () => 0,
  status: (a, b) => compare(a.status, b.status),
  step: (a, b) => compare(b.step, a.step),
  weight: (a, b) => (b.weight ?? -1) - (a.weight ?? -1),
  since: (a, b) => (b.since ?? 0) - (a.since ?? 0),
};

export function matcher(text) {
  const words = text.split(",").map((word) => word.trim()).filter(Boolean);
  if (!words.length) return () => true;
  return (row) => words.some((word) => matches(row, word));
}

function matches(row, word) {
  if (word.startsWith("!")) return word.length > 1 ? !matches(row, word.slice(1)) : true;
  if (word.length > 1 && word.startsWith('"') && word.endsWith('"')) return row.name === word.slice(1, -1);
  const colon = word.indexOf(":");
  if (colon > 0) {
    const value = row.labels[word.slice(0, colon)];
    return value !== undefined && value.includes(word.slice(colon + 1));
  }
  return row.name.toLowerCase().includes(word.toLowerCase());
}

// The rows of an address, in its order, and how many of those that the search finds each filter has.
export function select(rows, wanted, liked) {
  const fits = matcher(wanted.name);
  const found = rows.filter((row) => (!wanted.ns || row.ns === wanted.ns) && (!wanted.release || row.labels[PART_OF] === wanted.release));
  const inside = found.filter(fits);
  const counts = { favourites: 0, attention: 0 };
  for (const row of inside) {
    counts[row.status] = (counts[row.status] ?? 0) + 1;
    if (liked.has(keyOf(row))) counts.favourites += 1;
    if (needsAttention(row)) counts.attention += 1;
  }
  const shown = inside.filter((row) => (!wanted.favourites || liked.has(keyOf(row)))
    && (!wanted.attention || needsAttention(row))
    && (!wanted.statuses.length || wanted.statuses.includes(row.status)));
  const order = ORDERS[wanted.sort] ?? ORDERS.attention;
  shown.sort((a, b) => order(a, b) || liked.has(keyOf(b)) - liked.has(keyOf(a)) || compare(a.name, b.name) || compare(a.ns, b.ns));
  return { shown, counts, inside, total: found.length };
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
