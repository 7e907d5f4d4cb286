// Lists of the frame as rows of a table: those that stay are changed in place.
const SVG = "http://www.w3.org/2000/svg";

export function showRows(list, rows) {
  const known = new Map([...list.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));
  const shown = rows.map(([key, href, cells]) => {
    const row = known.get(key) ?? made(key, href, cells);
    cells.forEach((cell, column) => column && put(row.cells[column], cell));
    return row;
  });
  if (!shown.length && list.dataset.empty) shown.push(empty(list));
  const same = shown.length === list.rows.length && shown.every((row, i) => row === list.rows[i]);
  if (!same) list.replaceChildren(...shown);
}

export function linked(row) {
  const current = row.closest("table").dataset.current;
  if (current && row.dataset.key === current) row.setAttribute("aria-current", "true");
}

function empty(list) {
  const old = list.querySelector("tr.empty");
  if (old) return old;
  const row = document.createElement("tr");
  row.className = "empty";
  const cell = row.insertCell();
  cell.colSpan = 99;
  cell.textContent = list.dataset.empty;
  return row;
}

function made(key, href, cells) {
  const row = document.createElement("tr");
  row.dataset.key = key;
  const head = document.createElement("th");
  head.scope = "row";
  const link = document.createElement("a");
  link.href = href + (new URLSearchParams(location.search).has("account") ? `?account=${encodeURIComponent(document.body.dataset.account)}` : "");
  link.textContent = cells[0][0];
  head.append(link);
  row.append(head);
  for (const [, , share] of cells.slice(1)) {
    const cell = row.insertCell();
    if (share !== null) cell.append(bar());
    cell.append(document.createElement("span"));
  }
  return row;
}

function bar() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "pnl");
  svg.setAttribute("viewBox", "-50 0 100 8");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, width] of [["gain", 0], ["zero", 1]]) {
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", name);
    rect.setAttribute("width", width);
    rect.setAttribute("height", 8);
    rect.setAttribute("x", -width / 2);
    svg.append(rect);
  }
  return svg;
}

function put(place, [text, tone, share, , stale]) {
  const words = place.querySelector("span");
  if (words.textContent !== text) words.textContent = text;
  const wanted = ["v", tone, stale ? "stale" : ""].filter(Boolean).join(" ");
  if (place.className !== wanted) place.className = wanted;
  const rect = share === null ? null : place.querySelector("svg rect");
  if (!rect) return;
  rect.setAttribute("class", share > 0 ? "gain" : "loss");
  rect.setAttribute("x", Math.min(0, 50 * share).toFixed(1));
  rect.setAttribute("width", Math.abs(50 * share).toFixed(1));
}
