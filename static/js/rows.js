// The row cursor of lists: it keeps the same row after swaps, and comes back with you from a detail page.
const wide = matchMedia("(min-width: 1280px)");
const key = `row:${location.pathname}`;
const rows = () => [...document.querySelectorAll("[data-rows] [data-row]")];
let current = sessionStorage.getItem(key) || "";

const at = () => rows().findIndex((row) => row.id === current);
const mark = (row, { scroll = true } = {}) => {
  rows().forEach((other) => other.classList.toggle("at", other === row));
  if (!row) return;
  current = row.id;
  sessionStorage.setItem(key, current);
  if (scroll) row.scrollIntoView({ block: "nearest" });
};
const move = (step) => {
  const list = rows();
  if (!list.length) return false;
  const index = at();
  mark(list[index < 0 ? (step > 0 ? 0 : list.length - 1) : Math.max(0, Math.min(list.length - 1, index + step))]);
  if (document.querySelector("#pane [data-preview]")) preview(list[at()]);
  return true;
};
const url = (code) => {
  const address = new URL(location.href);
  if (code) address.searchParams.set("open", code); else address.searchParams.delete("open");
  history.replaceState(history.state, "", address);
};
const preview = (row) => {
  if (!row?.dataset.code || !wide.matches || !document.getElementById("pane")) return false;
  rows().forEach((other) => other.classList.toggle("open", other === row));
  htmx.ajax("GET", `/cases/${row.dataset.code}/preview/`, { target: "#pane", swap: "innerHTML" });
  url(row.dataset.code);
  return true;
};
const closePane = () => {
  const open = document.querySelector("#pane [data-preview]");
  if (!open) return false;
  document.getElementById("pane").replaceChildren();
  rows().forEach((row) => row.classList.remove("open"));
  url("");
  rows()[at()]?.querySelector("a")?.focus();
  return true;
};
const tick = (row, on) => {
  const box = row?.querySelector("input[type=checkbox]");
  if (!box) return false;
  box.checked = on ?? !box.checked;
  box.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
};
const on = (name, act) => document.addEventListener(`rows:${name}`, (event) => { if (act()) event.preventDefault(); });
on("next", () => move(1));
on("previous", () => move(-1));
on("open", () => {
  const link = rows()[at()]?.querySelector("[data-open-row]");
  if (link) location.href = link.href;
  return Boolean(link);
});
on("preview", () => preview(rows()[at()]));
on("select", () => tick(rows()[at()]));
on("extend", () => tick(rows()[at()], true) && move(1));
on("close", closePane);

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close-pane]")) { closePane(); return; }
  const row = event.target.closest("[data-row]");
  if (!row || event.target.closest("a, button, input, label, summary, select")) return;
  if (getSelection()?.toString()) return;
  mark(row, { scroll: false });
  if (!preview(row)) row.querySelector("[data-open-row]")?.click();
});
const opened = rows().find((row) => row.classList.contains("open"));
if (opened) current = opened.id;
const restore = () => { const row = rows()[at()]; if (row) mark(row, { scroll: false }); };
for (const name of ["htmx:afterSwap", "htmx:oobAfterSwap", "htmx:afterSettle"]) {
  document.addEventListener(name, restore);
}
restore();
