"use strict";
const tip = document.getElementById("tip");
const axes = JSON.parse(document.getElementById("axes").textContent);

function show(event, text) {
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const box = tip.getBoundingClientRect();
  const x = Math.min(event.clientX + 14, innerWidth - box.width - 6);
  const y = event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18;
  tip.style.left = `${Math.max(6, x)}px`;
  tip.style.top = `${y}px`;
}

// A cell's meaning is its colour, which the picture itself holds.
function pixels(image) {
  if (!image.cells) {
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    image.cells = context;
    image.palette = JSON.parse(image.dataset.palette);
  }
  return image.cells;
}

function cell(event, image) {
  const box = image.getBoundingClientRect();
  const at = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
  const column = at((event.clientX - box.left) / box.width, image.naturalWidth);
  const row = at((event.clientY - box.top) / box.height, image.naturalHeight);
  const found = pixels(image).getImageData(column, row, 1, 1).data;
  // Colours lose precision where they are transparent: take the nearest.
  const distance = (entry) => entry[3] || found[3]
    ? Math.abs(entry[3] - found[3]) * 4 + [0, 1, 2].reduce((sum, i) => sum + Math.abs(entry[i] - found[i]), 0) : 0;
  const nearest = image.palette.reduce((best, entry) => (distance(entry) < distance(best) ? entry : best));
  return `${axes.contracts[row]}, ${axes.times[column]}: ${nearest[4]}`;
}

document.addEventListener("pointermove", (event) => {
  const target = event.target;
  if (target.matches(".map img")) show(event, cell(event, target));
  else show(event, target.closest(".picture [aria-label]")?.getAttribute("aria-label"));
});
document.addEventListener("pointerleave", () => show(null, ""));
document.addEventListener("scroll", () => show(null, ""), true);

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const falls = column ? head.ariaSort !== "descending" : head.ariaSort === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.ariaSort = falls ? "descending" : "ascending";
    const key = (row) => row.cells[column].dataset.v;
    const order = (a, b) => {
      if (!column) return a.cells[0].textContent.localeCompare(b.cells[0].textContent);
      if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "") || 0;
      return key(a) - key(b);
    };
    const last = (row) => column > 0 && key(row) === "";
    const rows = [...body.rows];
    const known = rows.filter((row) => !last(row)).sort(order);
    if (falls) known.reverse();
    body.append(...known, ...rows.filter(last));
  }));
}
