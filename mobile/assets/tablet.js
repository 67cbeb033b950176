// What plain forms and links cannot do alone: hear that the replica changed and fetch the regions that show it.
// Never swaps a region in which somebody is typing.
"use strict";

document.documentElement.classList.add("script");

(() => {
  const COALESCE_MS = 250;
  let pending = null;

  const announce = () => {
    if (pending !== null) return;
    pending = window.setTimeout(() => {
      pending = null;
      document.body.dispatchEvent(new CustomEvent("neonpro:changed"));
    }, COALESCE_MS);
  };

  const events = new EventSource("/eventos");
  events.addEventListener("changed", announce);
  // After a pause (a suspended tablet) something may have been missed.
  events.addEventListener("open", announce);
  events.addEventListener("locked", () => document.body.dispatchEvent(new CustomEvent("neonpro:locked")));
  window.addEventListener("pagehide", () => events.close());

  const typedIn = (control) => {
    if (control.type === "hidden") return false;
    if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
    if (control.tagName === "SELECT") {
      return [...control.options].some((option) => option.selected !== option.defaultSelected);
    }
    return control.value !== control.defaultValue;
  };

  window.neonproTyping = () => [...document.querySelectorAll("main input, main select, main textarea")].some(typedIn);

  const inUse = (region) =>
    region.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")
    || region.querySelector("details[open]") !== null
    || [...region.querySelectorAll("input, select, textarea")].some(typedIn);

  // A region that was left alone is fetched again once nobody types in it any more.
  let leftAlone = false;
  document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (!inUse(event.detail.target)) return;
    event.detail.shouldSwap = false;
    leftAlone = true;
  });
  for (const released of ["focusout", "toggle"]) {
    document.body.addEventListener(released, () => {
      if (!leftAlone) return;
      leftAlone = false;
      announce();
    }, true);
  }

  // Choices that apply at once; without scripts the form shows its button.
  document.body.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-at-once]");
    if (form !== null) form.requestSubmit();
  });
})();
