// The grid of partitions: arrows move, a cell tells what it is and can be redone.
const grid = document.getElementById("grid");
const dialog = document.getElementById("partition");
let asked = null;

const cells = () => [...grid.querySelectorAll("button")];

function move(from, rows, columns) {
  const cell = from.closest("td");
  const row = cell.parentElement.parentElement.rows[cell.parentElement.rowIndex - 1 + rows];
  let next = row?.cells[cell.cellIndex + columns];
  while (next && !next.querySelector("button") && columns) next = row.cells[next.cellIndex + columns];
  const button = next?.querySelector("button");
  if (!button) return;
  from.tabIndex = -1;
  button.tabIndex = 0;
  button.focus();
}

async function open(button) {
  asked = { layer: grid.dataset.layer, file: button.dataset.file, idempotency_key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
  const answer = await fetch(`/desk/partition?${new URLSearchParams({ layer: asked.layer, file: asked.file })}`);
  const found = await answer.json();
  if (!answer.ok) { fail(found.error.message); dialog.showModal(); return; }
  document.getElementById("partition-title").textContent = found.label;
  document.getElementById("partition-meaning").textContent = `${found.status}: ${found.meaning}.${found.note ? ` ${found.note}` : ""}`;
  const run = found.run_url ? linkTo(found.run_url, found.run) : text(found.run || "none");
  const facts = [["Written", text(found.written)], ["Fingerprint", text(found.fingerprint || "none")], ["Version", text(found.version || "none")], ["Flow run", run], ["Run's state", text(found.run_state || "not among the last runs")]];
  document.getElementById("partition-facts").replaceChildren(...facts.map(([name, value]) => {
    const pair = document.createElement("div");
    const term = document.createElement("dt");
    term.textContent = name;
    const shown = document.createElement("dd");
    shown.append(value);
    pair.append(term, shown);
    return pair;
  }));
  fail("");
  const redo = document.getElementById("redo");
  if (redo) redo.disabled = !found.can_redo;
  dialog.showModal();
}

const text = (words) => document.createTextNode(words);

function linkTo(url, words) {
  const link = document.createElement("a");
  link.href = url;
  link.textContent = words;
  return link;
}

function fail(message) {
  const problem = dialog.querySelector(".problem");
  problem.hidden = !message;
  problem.textContent = message;
}

async function redo(button) {
  button.disabled = true;
  try {
    const answer = await fetch("/desk/redo", { method: "POST", body: new URLSearchParams(asked) });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error.message);
    document.getElementById("partition-meaning").replaceChildren(text("Started as flow run "), said.run_url ? linkTo(said.run_url, said.run) : text(said.run), text("."));
  } catch (error) {
    fail(error.message);
    button.disabled = false;
  }
}

if (grid) {
  const first = cells()[0];
  if (first) first.tabIndex = 0;
  grid.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!steps || !event.target.matches("button")) return;
    event.preventDefault();
    move(event.target, ...steps);
  });
  grid.addEventListener("click", (event) => event.target.matches("button") && open(event.target));
  document.getElementById("redo")?.addEventListener("click", (event) => redo(event.target));
}
