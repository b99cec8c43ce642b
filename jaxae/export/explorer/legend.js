// The classes, each a button that switches it on and off; and the search for an image by its number or the name of its file.
import { classColour } from "./colours.js";
import { data, files, names, withIndex, withName } from "./dataset.js";
import { byId, makeButton } from "./elements.js";
import { goTo } from "./pointer.js";
import { classCounts, nearestTo } from "./points.js";
import { shown, state, update, watch } from "./store.js";


export function showLegend() {
  const buttons = names.map((name, label) => makeClassButton(name, label));
  const all = makeButton();
  all.className = "quiet";
  all.addEventListener("click", () => hide(state.hidden.size ? [] : names.keys()));
  byId("legend").append(...buttons, ...(names.length ? [all] : []));
  byId("legend").hidden = !names.length;
  watch(["hidden", "theme"], () => {
    all.textContent = state.hidden.size ? "show all" : "hide all";
    buttons.forEach((button, label) => {
      button.setAttribute("aria-pressed", !state.hidden.has(label));
      button.firstChild.style.background = classColour(label);
    });
  });
}

function makeClassButton(name, label) {
  const button = makeButton(document.createElement("i"), name);
  button.title = `${(classCounts.get(label) ?? 0).toLocaleString("en")} images; double-click to see this class alone`;
  button.addEventListener("click", () => {
    const hidden = new Set(state.hidden);
    if (!hidden.delete(label)) hidden.add(label);
    hide(hidden);
  });
  button.addEventListener("dblclick", () => hide([...names.keys()].filter((each) => each !== label)));
  return button;
}

function hide(labels) {
  update({ hidden: new Set(labels) });
  update({ nearest: nearestTo(state.cursor) });
}

export function showSearch() {
  const input = byId("index");
  if (files.length) Object.assign(input, { type: "search", placeholder: "part of a file's name" });
  else input.max = data.total - 1;
  input.addEventListener("input", () => input.setCustomValidity(""));
  byId("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const place = files.length ? withName(input.value, shown()) : withIndex(Number(input.value));
    if (place !== undefined) return goTo(place);
    input.setCustomValidity(files.length ? "No file has this in its name" : `Give a number from 0 to ${data.total - 1}`);
    input.reportValidity();
  });
}
