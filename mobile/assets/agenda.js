// Moving an appointment by dragging it into a free cell: by mouse, or by holding a finger on it. The same form as tapping.
"use strict";

(() => {
  const HOLD_MS = 350;
  let dragged = null;

  const drop = (cell) => {
    const form = document.getElementById("mover");
    if (cell === null || dragged === null || form === null) return;
    form.action = `/agendamentos/${dragged}/mover`;
    form.elements.hora.value = cell.dataset.hora;
    form.elements.profissional.value = cell.dataset.profissional;
    form.requestSubmit();
  };
  const free = (target) => target?.closest?.("td[data-hora]") ?? null;
  const mark = (cell) => {
    for (const marked of document.querySelectorAll("td[data-drop]")) delete marked.dataset.drop;
    if (cell !== null) cell.dataset.drop = "";
  };

  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.(".slot[data-id]")?.dataset.id ?? null;
  });
  document.addEventListener("dragover", (event) => {
    const cell = free(event.target);
    mark(cell);
    if (dragged !== null && cell !== null) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop(free(event.target));
  });
  document.addEventListener("dragend", () => { dragged = null; mark(null); });

  // A finger: held still for a moment, then moved.
  let hold = null;
  document.addEventListener("touchstart", (event) => {
    const slot = event.target.closest?.(".slot[data-id]");
    if (!slot || event.touches.length !== 1) return;
    hold = window.setTimeout(() => { dragged = slot.dataset.id; slot.dataset.held = ""; }, HOLD_MS);
  }, { passive: true });
  document.addEventListener("touchmove", (event) => {
    if (dragged === null) { window.clearTimeout(hold); return; }
    event.preventDefault();
    const touch = event.touches[0];
    mark(free(document.elementFromPoint(touch.clientX, touch.clientY)));
  }, { passive: false });
  document.addEventListener("touchend", (event) => {
    window.clearTimeout(hold);
    if (dragged === null) return;
    event.preventDefault();
    const touch = event.changedTouches[0];
    drop(free(document.elementFromPoint(touch.clientX, touch.clientY)));
    for (const held of document.querySelectorAll("[data-held]")) delete held.dataset.held;
    dragged = null;
    mark(null);
  });
})();
