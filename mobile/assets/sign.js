// A signature drawn with a finger, a pen or a mouse, kept as moves and lines between whole numbers.
"use strict";

(() => {
  const box = document.getElementById("quadro");
  const path = box.querySelector("path");
  const field = document.querySelector("input[name=assinatura]");
  const [, , width, height] = box.getAttribute("viewBox").split(" ").map(Number);
  let drawn = "";
  let down = false;

  const at = (event) => {
    const area = box.getBoundingClientRect();
    const clamp = (value, max) => Math.min(max, Math.max(0, Math.round(value)));
    return `${clamp((event.clientX - area.left) * width / area.width, width)} ${clamp((event.clientY - area.top) * height / area.height, height)}`;
  };
  const show = () => { path.setAttribute("d", drawn); field.value = drawn; };

  box.addEventListener("pointerdown", (event) => {
    down = true;
    box.setPointerCapture(event.pointerId);
    drawn += `M${at(event)}`;
    show();
  });
  box.addEventListener("pointermove", (event) => {
    if (!down) return;
    drawn += `L${at(event)}`;
    show();
  });
  for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, () => { down = false; });
  document.getElementById("limpar").addEventListener("click", () => { drawn = ""; show(); });
})();
