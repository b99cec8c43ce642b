// What lies behind the points, and the bar that says what its colours mean.
import { cividis, cssColour, inferno } from "./colours.js";
import { decodedGrid, distortion, drawCells, forgetCells } from "./cells.js";
import { byId } from "./elements.js";
import { drawDensity, drawError, errorRange } from "./fields.js";
import { state, update, watch } from "./store.js";

const layers = {
  none: { draw: () => false },
  decoded: { draw: (context) => drawCells(context, decodedGrid) },
  density: { draw: drawDensity, map: cividis, explain: () => ["few", "many", "Images here"] },
  error: { draw: drawError, map: inferno, explain: () => [...errorRange.map(short), "Mean squared error of the images here"] },
  distortion: {
    draw: (context) => drawCells(context, distortion),
    map: inferno,
    explain: () => [...distortion.findRange().map((log) => short(10 ** log)), "Area in image space per area of the map, log scale"],
  },
};

const short = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(2));

// Draws the layer that is chosen. Returns whether some of it is still to be computed.
export const drawLayer = (context) => layers[state.layer].draw(context) === true;

function drawBar() {
  const { map, explain } = layers[state.layer];
  byId("bar").hidden = !map;
  if (!map) return;
  const context = byId("bar-colours").getContext("2d");
  for (let x = 0; x < 128; x++) {
    context.fillStyle = cssColour(map, 3 * Math.round((255 * x) / 127));
    context.fillRect(x, 0, 1, 1);
  }
  const [low, high, text] = explain();
  byId("bar-low").textContent = low;
  byId("bar-high").textContent = high;
  byId("bar-text").textContent = text;
}

export function showLayers() {
  for (const input of document.querySelectorAll("#layers input[type=radio]")) {
    input.addEventListener("change", () => update({ layer: input.value }));
  }
  const thumbnails = byId("thumbnails");
  thumbnails.addEventListener("change", () => update({ thumbnails: thumbnails.checked }));
  const dots = byId("dots");
  dots.addEventListener("change", () => update({ dots: dots.checked }));
  watch(["layer"], drawBar);
  watch(["theme"], forgetCells);
}
