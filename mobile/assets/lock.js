// The lock: keys for fingers, a sign of life while somebody types, and a cover over what is being typed when the tablet
// locks, so that nothing of it is lost.
"use strict";

document.documentElement.classList.add("script");

(() => {
  const SIGN_MS = 60000;

  document.addEventListener("click", (event) => {
    const key = event.target.closest(".keys button[data-key]");
    if (key === null) return;
    const pin = key.closest("form").querySelector("[name=pin]");
    pin.value = key.dataset.key === "" ? pin.value.slice(0, -1) : (pin.value + key.dataset.key).slice(0, pin.maxLength);
    pin.focus();
  });

  const lock = document.querySelector("form.lock");
  if (lock === null) return;

  let signed = Date.now();
  const sign = () => {
    if (Date.now() - signed < SIGN_MS) return;
    signed = Date.now();
    fetch("/presenca", { method: "POST" }).catch(() => {});
  };
  for (const kind of ["pointerdown", "keydown", "input"]) document.addEventListener(kind, sign, true);

  const here = () => location.pathname + location.search;
  let cover = null;

  const show = (page) => {
    const form = new DOMParser().parseFromString(page, "text/html").getElementById("entrada");
    if (form === null) return location.assign("/entrar?de=" + encodeURIComponent(here()));
    cover.replaceChildren(form);
    cover.querySelector("[name=pin]").focus();
  };

  const unlock = async (event) => {
    event.preventDefault();
    const answer = await fetch("/entrar", { method: "POST", body: new URLSearchParams(new FormData(event.target)) });
    if (!answer.redirected) return show(await answer.text());
    for (const part of document.body.children) part.inert = false;
    cover.remove();
    cover = null;
  };

  const close = async () => {
    if (cover !== null) return;
    if (!window.neonproTyping()) return location.assign("/entrar?de=" + encodeURIComponent(here()));
    cover = document.createElement("div");
    cover.className = "cover";
    cover.addEventListener("submit", unlock);
    for (const part of document.body.children) part.inert = true;
    document.body.append(cover);
    show(await (await fetch("/entrar?de=" + encodeURIComponent(here()))).text());
  };

  document.body.addEventListener("neonpro:locked", close);
  lock.addEventListener("submit", async (event) => {
    if (!window.neonproTyping()) return;
    event.preventDefault();
    await fetch("/bloquear", { method: "POST" });
    close();
  });
})();
