// Which Rollouts are shown. Words are OR-ed, separated by commas: a part of the name, "the whole name", !not, label:value.

export function keyOf(row) {
  return `${row.ns}/${row.name}`;
}

export function needsAttention(row) {
  return row.status === "Degraded" || row.status === "Unknown" || (row.status === "Paused" && row.message !== "CanaryPauseStep");
}

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

// The rows of an address, favourites first, and how many each filter has.
export function select(rows, wanted, liked) {
  const inside = rows.filter((row) => !wanted.ns || row.ns === wanted.ns);
  const counts = { favourites: 0, attention: 0 };
  for (const row of inside) {
    counts[row.status] = (counts[row.status] ?? 0) + 1;
    if (liked.has(keyOf(row))) counts.favourites += 1;
    if (needsAttention(row)) counts.attention += 1;
  }
  const fits = matcher(wanted.name);
  const shown = inside.filter((row) => fits(row)
    && (!wanted.favourites || liked.has(keyOf(row)))
    && (!wanted.attention || needsAttention(row))
    && (!wanted.statuses.length || wanted.statuses.includes(row.status)));
  shown.sort((a, b) => liked.has(keyOf(b)) - liked.has(keyOf(a)) || compare(a.name, b.name) || compare(a.ns, b.ns));
  return { shown, counts, total: inside.length };
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
