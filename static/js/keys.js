// Binds exactly the keys that the help dialog lists (drawn by the server from one table).
const help = document.getElementById("help");
const table = new Map();
help?.querySelectorAll("[data-press]").forEach((line) => {
  const action = line.dataset.action;
  if (!table.has(line.dataset.press)) table.set(line.dataset.press, action);
});

const FIELDS = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";
const inField = (element) => element.closest(FIELDS);
const visible = (element) => element.getClientRects().length > 0;
const find = (selector) => [...document.querySelectorAll(selector)].find(visible);

const run = (action) => {
  const [verb, name] = action.split(":");
  if (verb === "help") { help.showModal(); return true; }
  if (verb === "close") {
    const open = document.querySelector("details.inline[open], details.menu[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); return true; }
    return document.dispatchEvent(new CustomEvent("rows:close", { cancelable: true })) === false;
  }
  if (verb === "focus") {
    const field = find(`[data-focus=${name}]`);
    field?.focus();
    field?.select?.();
    return Boolean(field);
  }
  if (verb === "go") {
    const link = document.querySelector(`[data-section=${name}]`);
    if (link) location.href = link.href;
    return Boolean(link);
  }
  if (verb === "click") {
    const control = find(`[data-key=${name}]`);
    if (!control) return false;
    if (control.matches("textarea, input, select")) control.focus();
    else {
      control.click();
      control.closest("details[open]")?.querySelector("select, input:not([type=hidden]), textarea")?.focus();
    }
    return true;
  }
  if (verb === "row") return document.dispatchEvent(new CustomEvent(`rows:${name}`, { cancelable: true })) === false;
  return false;
};

let first = "";
let timer = 0;
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  const name = event.key === " " ? "Space" : event.key;
  const press = event.ctrlKey || event.metaKey ? `Control+${name.toLowerCase()}` : name;
  const single = !press.startsWith("Control+") && press !== "Escape" && press !== "Enter";
  if (press !== "Escape" && !press.startsWith("Control+") && inField(event.target)) return;
  if (single && document.documentElement.dataset.keys === "off") return;
  const pressable = "a, button, summary, input, [role=button]";
  if ((press === "Enter" || press === "Space") && event.target.closest(pressable)) return;
  if (press === "Escape" && inField(event.target)) { event.target.blur(); return; }
  const pair = first ? `${first} ${press}` : "";
  clearTimeout(timer);
  first = "";
  const action = (pair && table.get(pair)) || table.get(press);
  if (action) { if (run(action)) event.preventDefault(); return; }
  if ([...table.keys()].some((key) => key.startsWith(`${press} `))) {
    first = press;
    timer = setTimeout(() => { first = ""; }, 1200);
  }
});
document.documentElement.dataset.keysReady = "1";
