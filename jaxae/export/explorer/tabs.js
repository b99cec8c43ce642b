// Noise, Path and Draw: one of the three is open.
import { byId } from "./elements.js";
import { state, update, watch } from "./store.js";

export function showTabs() {
  const tabs = [...document.querySelectorAll("#tabs [role=tab]")];
  const nameOf = (tab) => tab.getAttribute("aria-controls");
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener("click", () => update({ tab: nameOf(tab) }));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      const next = tabs.at((i + step) % tabs.length);
      next.focus();
      update({ tab: nameOf(next) });
    });
  }
  watch(["tab"], () => {
    for (const tab of tabs) {
      const open = nameOf(tab) === state.tab;
      tab.setAttribute("aria-selected", open);
      tab.tabIndex = open ? 0 : -1;
      byId(nameOf(tab)).hidden = !open;
    }
  });
}
