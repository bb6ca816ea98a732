// The frame: toasts, dialogs, menus, forms that must go out once, and the clock of the page.
// Every page works without this.
const close = (element) => element?.remove();

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-close-toast], [data-open], [data-copy]");
  document.querySelectorAll("details.menu[open], details.inline[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  if (!target) return;
  if (target.matches("[data-close-toast]")) close(target.closest("[data-toast]"));
  if (target.dataset.open) document.getElementById(target.dataset.open)?.showModal();
  if (target.dataset.copy) navigator.clipboard?.writeText(target.dataset.copy);
});

// A form goes out once: the second click of a double click finds the button asleep.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-once]")) return;
  if (form.dataset.sent === "1") { event.preventDefault(); event.stopImmediatePropagation(); return; }
  form.dataset.sent = "1";
  form.querySelectorAll("button:not([type=button])").forEach((button) => button.classList.add("sending"));
}, true);
const wake = (form) => {
  delete form.dataset.sent;
  form.querySelectorAll(".sending").forEach((button) => button.classList.remove("sending"));
};
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form[data-once]");
  if (form) wake(form);
});
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-once]").forEach(wake));

// Toasts leave after ten seconds, unless somebody is on them.
const watched = new WeakSet();
const arm = () => document.querySelectorAll("[data-toast]").forEach((toast) => {
  if (watched.has(toast)) return;
  watched.add(toast);
  let timer = setTimeout(() => close(toast), 10000);
  const stay = () => clearTimeout(timer);
  const go = () => { timer = setTimeout(() => close(toast), 4000); };
  toast.addEventListener("pointerenter", stay);
  toast.addEventListener("pointerleave", go);
  toast.addEventListener("focusin", stay);
  toast.addEventListener("focusout", go);
});
new MutationObserver(arm).observe(document.getElementById("toasts"), { childList: true });

const failed = (words) => {
  const toast = document.createElement("div");
  toast.className = "toast bad";
  toast.dataset.toast = "";
  toast.setAttribute("role", "alert");
  const text = document.createElement("p");
  text.textContent = words;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn plain";
  button.dataset.closeToast = "";
  button.ariaLabel = "Close";
  button.textContent = "×";
  toast.append(text, button);
  document.getElementById("toasts").append(toast);
};
document.addEventListener("htmx:sendError", () => {
  failed("The server could not be reached. Nothing was changed; try again.");
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 403) failed("You were signed out, or this form has expired. Reload the page.");
  else failed("Something went wrong on our side. Nothing is half done; reload the page to see how it is.");
});

// Polling rests while nobody looks, while somebody types, and while a menu or form is open:
// nothing moves under the hand.
const busy = () => document.hidden || document.activeElement?.matches("input, textarea, select")
  || document.querySelector("dialog[open], .inline[open], .sheet-up[open]") || getSelection()?.toString();
document.addEventListener("htmx:configRequest", (event) => {
  if (event.target.matches("#pulse, #status-banner, [data-live]") && busy()) event.preventDefault();
});
// A word typed and not yet sent stays: the page asks again when the field is empty.
document.addEventListener("htmx:beforeSwap", (event) => {
  const live = event.detail.requestConfig?.elt?.matches?.("[data-live]");
  const typed = (field) => field.value !== field.defaultValue;
  if (live && [...document.querySelectorAll("main textarea")].some(typed)) event.detail.shouldSwap = false;
});

// What a message said when the page came is past once the page has moved on by itself.
document.addEventListener("htmx:afterSwap", (event) => {
  if (!event.detail.requestConfig?.elt?.matches?.("[data-live]")) return;
  document.querySelector(".messages:not(.flush)")?.remove();
});

// The list that somebody came from is the one that "back" leads to.
const list = "/queue/";
if (location.pathname === list) sessionStorage.setItem("list", location.search);
const came = sessionStorage.getItem("list");
const backs = () => document.querySelectorAll(`a[data-key=back][href="${list}"]`).forEach((link) => {
  if (came) link.href = list + came;
});
backs();

// Where tabs scroll, the chosen one is in sight.
document.querySelectorAll(".states [aria-current]").forEach((tab) => {
  tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 12;
});

// A filter rail that starts folded on a phone.
if (matchMedia("(max-width: 959px)").matches) {
  document.querySelectorAll(".rail-fold").forEach((fold) => { fold.open = false; });
}

// "All" boxes and the count of what is chosen.
const recount = () => document.querySelectorAll("form:has([data-selected-count])").forEach((form) => {
  const count = form.querySelectorAll("input[name=case]:checked, input[name=delivery]:checked").length;
  const place = form.querySelector("[data-selected-count]");
  place.dataset.idle ??= place.textContent;
  place.textContent = count ? `${count} selected` : place.dataset.idle;
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-select-all]")) {
    const boxes = event.target.closest("table").querySelectorAll("tbody input[type=checkbox]");
    boxes.forEach((box) => { box.checked = event.target.checked; });
  }
  recount();
});
export { recount };
