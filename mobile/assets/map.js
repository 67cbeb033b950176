// The injection map: a tap on the face sets a point, a tap on a point takes it away. Each is a form of its own, so each is saved
// at once; the map is fetched again from what was saved.
"use strict";

document.addEventListener("click", (event) => {
  const face = event.target.closest?.("svg.face[data-live]");
  if (!face) return;
  const form = document.getElementById("usos");
  const point = event.target.closest("[data-chave]");
  const set = (name, value) => { form.elements[name].value = value; };
  if (point !== null) {
    set("chave", point.dataset.chave);
    set("x", "");
    set("y", "");
    set("fazer", "retirar");
    form.requestSubmit();
    return;
  }
  const box = face.getBoundingClientRect();
  const thousandths = (at, from, size) => Math.min(1000, Math.max(0, Math.round((at - from) * 1000 / size)));
  set("x", thousandths(event.clientX, box.left, box.width));
  set("y", thousandths(event.clientY, box.top, box.height));
  set("fazer", "ponto");
  form.requestSubmit();
});

// Points are reached by keyboard as well.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== " ") return;
  const point = event.target.closest?.("svg.face [data-chave]");
  if (!point) return;
  event.preventDefault();
  point.dispatchEvent(new MouseEvent("click", { bubbles: true }));
});
