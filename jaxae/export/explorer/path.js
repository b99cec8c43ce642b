// The path between two places of the map, decoded in steps.
import { count, latentOf } from "./dataset.js";
import { byId, makeButton, whenPressed } from "./elements.js";
import { decode } from "./network.js";
import { between } from "./overlay.js";
import { fitCanvas, showImage } from "./pictures.js";
import { pointAt } from "./pointer.js";
import { state, update, watch } from "./store.js";

const PATH_STEPS = 10;

export function showPath() {
  const steps = Array.from({ length: PATH_STEPS }, (_, i) => makeStep(i / (PATH_STEPS - 1)));
  byId("steps").append(...steps);
  const slider = byId("along");
  slider.addEventListener("input", () => update({ along: Number(slider.value) }));
  whenPressed("swap", () => update({ ends: [...state.ends].reverse(), along: 1 - state.along }));
  watch(["ends"], () => {
    byId("path-hint").textContent =
      state.ends.length === 2 ? "Click the map to begin another path, and again to end it." : "Click the map where the path ends.";
    if (state.ends.length === 2) steps.forEach((step, i) => showImage(step.firstChild, decode(between(state.ends, i / (PATH_STEPS - 1)))));
  });
  watch(["ends", "along", "tab"], () => {
    slider.value = state.along;
    byId("along-text").textContent = `${Math.round(100 * state.along)} %`;
    steps.forEach((step, i) => step.setAttribute("aria-pressed", Math.round(state.along * (PATH_STEPS - 1)) === i));
    if (state.tab === "path" && state.ends.length === 2) pointAt(between(state.ends, state.along));
  });
  update({ ends: [latentOf(0), latentOf(count - 1)] });
}

function makeStep(t) {
  const canvas = fitCanvas(document.createElement("canvas"));
  canvas.className = "picture";
  const step = makeButton(canvas);
  step.title = `${Math.round(100 * t)} % of the way`;
  step.setAttribute("aria-label", step.title);
  step.addEventListener("click", () => update({ along: t }));
  return step;
}
