// What every page does: show frames, ages and alerts; ask before what cannot be taken back.
import { Feed } from "./feed.js";
import { linked, showRows } from "./rows.js";

const body = document.body;
const feed = new Feed(Number(body.dataset.lastAlert));
export { feed };

let offset = 0; // of the server's clock against this one

function show(frame) {
  offset = frame.at - Date.now();
  // The page was made before there was an account to show.
  if (!body.dataset.account && !frame.problem && Object.keys(frame.fields).some((name) => name.endsWith("/equity"))) location.reload();
  for (const place of document.querySelectorAll("[data-f]")) put(place, frame.fields[place.dataset.f]);
  for (const bar of document.querySelectorAll("[data-used-of]")) {
    const [, tone, share] = frame.fields[bar.dataset.usedOf] ?? ["", "", 0];
    bar.setAttribute("width", (100 * (share ?? 0)).toFixed(1));
    bar.setAttribute("class", `fill ${tone}`);
  }
  for (const time of document.querySelectorAll("[data-age-of]")) {
    const at = frame.fields[time.dataset.ageOf]?.[3];
    if (at) time.dataset.at = at;
  }
  for (const list of document.querySelectorAll("[data-list]")) showRows(list, frame.lists[list.dataset.list] ?? []);
  const banner = document.getElementById("banner");
  const said = frame.problem || frame.note;
  banner.hidden = !said;
  if (banner.textContent !== said) banner.textContent = said;
  body.classList.toggle("lost", Boolean(frame.problem) || feed.silentFor > 3000);
  body.dataset.seq = frame.seq;
  ages();
}

function put(place, cell) {
  if (!cell) return;
  const [text, tone, , , stale] = cell;
  if (place.textContent !== text) place.textContent = text;
  const kinds = [...place.classList].filter((name) => ["v", "big", "count"].includes(name));
  const wanted = [...kinds, tone, stale ? "stale" : ""].filter(Boolean).join(" ");
  if (place.className !== wanted) place.className = wanted;
}

function age(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds >= 172800) return `${Math.floor(seconds / 86400)} d`;
  if (seconds >= 7200) return `${Math.floor(seconds / 3600)} h`;
  if (seconds >= 60) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds)} s`;
}

function ages() {
  const now = Date.now() + offset;
  for (const time of document.querySelectorAll("time[data-at]")) {
    const text = age(now - Number(time.dataset.at));
    if (time.textContent !== text) time.textContent = text;
  }
}

function showState({ state, silent }) {
  const place = document.getElementById("feed");
  const seconds = Math.floor(silent / 1000);
  const text = { live: "live", connecting: "connecting", late: `${seconds} s behind`, lost: `no connection for ${seconds} s` }[state];
  place.dataset.state = state;
  const words = document.getElementById("feed-text");
  if (words.textContent !== text) words.textContent = text;
  if (state === "late" || state === "lost") body.classList.add("lost");
}

function tell(alert) {
  const toast = document.createElement("div");
  toast.className = `toast ${alert.severity}`;
  const title = document.createElement("b");
  title.textContent = `${alert.change}: ${alert.rule} · ${alert.subject}`;
  const text = document.createElement("p");
  text.textContent = alert.message;
  const close = document.createElement("button");
  close.textContent = "Close";
  close.addEventListener("click", () => toast.remove());
  toast.append(title, close, text);
  const toasts = document.getElementById("toasts");
  toasts.prepend(toast);
  [...toasts.children].slice(4).forEach((old) => old.remove());
}

feed.addEventListener("frame", (event) => show(event.detail));
feed.addEventListener("alert", (event) => tell(event.detail));
feed.addEventListener("state", (event) => showState(event.detail));
offset = Number(body.dataset.frameAt) - Date.now();
setInterval(ages, 1000);

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});

for (const form of document.querySelectorAll("form[data-confirm]")) {
  const submit = form.querySelector(".buttons button:not([data-close])");
  const ready = () => { submit.disabled = form.elements.confirm.value !== form.dataset.confirm || !form.elements.why.value.trim(); };
  form.addEventListener("input", ready);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    const problem = form.querySelector(".problem");
    problem.hidden = true;
    try {
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (answer.ok) { location.reload(); return; }
      problem.textContent = (await answer.json()).error.message;
    } catch { problem.textContent = "The desk did not answer, so it may or may not have been done. Check the trading state, and try again if needed."; }
    problem.hidden = false;
    ready();
  });
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falls = column ? head.ariaSort !== "descending" : head.ariaSort === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.ariaSort = falls ? "descending" : "ascending";
      const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
      const order = (a, b) => (key(a) - key(b)) || key(a).localeCompare(key(b));
      const rows = [...table.tBodies[0].rows].sort(order);
      table.tBodies[0].append(...(falls ? rows.reverse() : rows));
    });
  });
}

document.querySelector(".pages [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
for (const row of document.querySelectorAll("[data-current] tr")) linked(row);
