// A line drawn around images selects them: their names can be copied, or saved with their places as CSV.
import { className, count, errors, labels, latentOf, latents, nameOf, names } from "./dataset.js";
import { byId, whenPressed } from "./elements.js";
import { state, update, watch } from "./store.js";

// Whether a point is inside an outline: a ray to the right crosses its sides an odd number of times.
function isWithin([x, y], outline) {
  let inside = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [[ax, ay], [bx, by]] = [outline[i], outline[j]];
    if (ay > y !== by > y && x < ax + ((bx - ax) * (y - ay)) / (by - ay)) inside = !inside;
  }
  return inside;
}

// Selects the images of the classes that are on inside the outline, by their names.
export function selectWithin(outline) {
  const found = [];
  for (let i = 0; i < count; i++) {
    if (!state.hidden.has(labels[i]) && isWithin(latentOf(i), outline)) found.push(i);
  }
  update({ selected: found.sort((a, b) => nameOf(a).localeCompare(nameOf(b), "en", { numeric: true })) });
}

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

function asTable() {
  const rows = state.selected.map((i) => {
    const label = names.length ? quoted(className(i)) : "";
    return [quoted(nameOf(i)), label, latents[2 * i], latents[2 * i + 1], errors[i]].join(",");
  });
  return ["file,label,x,y,error", ...rows, ""].join("\n");
}

export function showLasso() {
  const list = byId("selected");
  watch(["selected"], () => {
    byId("selection").hidden = !state.selected.length;
    byId("selected-count").textContent = `${state.selected.length.toLocaleString("en")} selected`;
    list.value = state.selected.map(nameOf).join("\n");
  });
  watch(["lasso"], () => byId("lasso").setAttribute("aria-pressed", state.lasso));

  whenPressed("lasso", () => update({ lasso: !state.lasso }));
  whenPressed("unselect", () => update({ selected: [], outline: [] }));
  whenPressed("copy-names", () => {
    list.select();
    document.execCommand("copy"); // navigator.clipboard is not there for files in every browser
  });
  whenPressed("save-names", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([asTable()], { type: "text/csv" }));
    link.download = "selected.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
