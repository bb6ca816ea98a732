// Passkeys: asks the server for a challenge, the browser for an answer, and sends it with the form it stands in.
// <button data-passkey="prove|make" data-url="...">; the form has a hidden field `answer`.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function readable(options) {
  const asked = options.publicKey ?? options;
  asked.challenge = bytes(asked.challenge);
  if (asked.user) asked.user.id = bytes(asked.user.id);
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    for (const entry of asked[list] ?? []) entry.id = bytes(entry.id);
  }
  return { publicKey: asked };
}

function sendable(credential) {
  const found = credential.response;
  const response = { clientDataJSON: text(found.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (found[name]) response[name] = text(found[name]);
  }
  return JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: {},
  });
}

async function use(button) {
  const form = button.closest("form");
  const answer = await fetch(button.dataset.url, {
    method: "POST", headers: { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
  });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const options = readable(await answer.json());
  const make = button.dataset.passkey === "make";
  const credential = await (make ? navigator.credentials.create(options) : navigator.credentials.get(options));
  form.elements.answer.value = sendable(credential);
  form.requestSubmit();
}

function offer(button) {
  if (!window.PublicKeyCredential || !button.hidden) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await use(button);
    } catch {
      button.disabled = false;
      button.title = "The passkey was not used. Try again, or use another way.";
      button.focus();
    }
  });
}

function offerIn(part) {
  for (const button of part.querySelectorAll("[data-passkey]")) offer(button);
}

offerIn(document);
document.addEventListener("htmx:load", (event) => offerIn(event.detail.elt));
