// The code of a one-time link stands behind the #, which no server sees: put it into the form, and out of the address.

const form = document.querySelector("[data-link-code]");
const code = location.hash.slice(1);
if (form && code) {
  form.elements.secret.value = code;
  form.elements.secret.readOnly = true;
  history.replaceState(null, "", location.pathname);
  form.elements.password.focus();
}
