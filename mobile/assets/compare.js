// Two photographs over each other; a slider says how much is seen of each. Without this file they stand side by side.
"use strict";

for (const compare of document.querySelectorAll("[data-compare]")) {
  const label = compare.parentElement.querySelector(".slide");
  const slider = label?.querySelector("input");
  if (!slider) continue;
  const move = () => compare.style.setProperty("--seen", `${slider.value}%`);
  label.hidden = false;
  compare.classList.add("over");
  slider.addEventListener("input", move);
  // A finger on the picture itself.
  const follow = (event) => {
    if (event.pointerType === "mouse" && event.buttons === 0) return;
    const box = compare.getBoundingClientRect();
    slider.value = String(Math.round(((event.clientX - box.left) / box.width) * 100));
    move();
  };
  compare.addEventListener("pointerdown", follow);
  compare.addEventListener("pointermove", follow);
  move();
}
