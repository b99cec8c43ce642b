// Layers that run the decoder: the plane in cells, each computed once at its middle, a few milliseconds in a frame.
import { cssColour, inferno, isDark, placeIn } from "./colours.js";
import { channels, count, height, latentOf, width } from "./dataset.js";
import { decode, logArea } from "./network.js";
import { quantile } from "./arrays.js";
import { mean } from "./pictures.js";
import { state } from "./store.js";
import { plane, toLatent, toScreen } from "./view.js";

const BUDGET = 8; // milliseconds of a frame
const MOST = 40000; // cells to keep

// What the decoder draws in the middle of each cell, like ink on the page.
export const decodedGrid = {
  sizes: [56], // of a cell, in pixels; it is the nearest power of two in latent units
  compute: (latent) => inkPicture(decode(latent)),
  paint: (context, picture, ...place) => context.drawImage(picture, ...place),
};

// How much a step on the map changes the picture: log10 of the Jacobian's area.
export const distortion = {
  sizes: [64, 16, 8],
  range: null,
  compute: logArea,
  paint(context, value, ...place) {
    context.fillStyle = cssColour(inferno, placeIn(value, ...distortion.findRange()));
    context.fillRect(...place);
  },
  // From the 2nd to the 98th percentile at a hundred of the images.
  findRange() {
    const step = Math.max(1, Math.floor(count / 100));
    const some = Array.from({ length: Math.floor(count / step) }, (_, i) => latentOf(i * step));
    const areas = distortion.range ? [] : some.map(logArea).sort((a, b) => a - b);
    return (distortion.range ??= [quantile(areas, 0.02), quantile(areas, 0.98)]);
  },
};

function inkPicture(image) {
  const picture = document.createElement("canvas");
  [picture.width, picture.height] = [width, height];
  const pixels = new ImageData(width, height);
  const ink = isDark() ? 255 : 0;
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * p + c] = channels === 3 ? 255 * image[3 * p + c] : ink;
    pixels.data[4 * p + 3] = channels === 3 ? 170 : 140 * mean(image, p);
  }
  picture.getContext("2d").putImageData(pixels, 0, 0);
  return picture;
}

const kept = new Map(); // layer -> cell -> value

export function forgetCells() {
  kept.clear();
}

// Paints what is computed of a layer, coarse cells first, and computes on for a moment. Returns whether cells are missing.
export function drawCells(context, layer) {
  if (!kept.has(layer)) kept.set(layer, new Map());
  const cells = kept.get(layer);
  if (cells.size > MOST) cells.clear();
  const until = performance.now() + BUDGET;
  let missing = false;
  context.imageSmoothingEnabled = false;
  for (const size of layer.sizes) {
    for (const { key, middle, place } of cellsInView(size)) {
      if (!cells.has(key)) {
        if (missing || performance.now() > until) {
          missing = true;
          continue;
        }
        cells.set(key, layer.compute(middle));
      }
      layer.paint(context, cells.get(key), ...place);
    }
  }
  return missing;
}

let listed = { view: null, lists: new Map() }; // the cells of the view that was drawn last, by size

function cellsInView(size) {
  if (listed.view !== state.view) listed = { view: state.view, lists: new Map() };
  if (!listed.lists.has(size)) listed.lists.set(size, listCells(size));
  return listed.lists.get(size);
}

// Cells lie at multiples of their size in latent units, so that panning and zooming back find them again.
function listCells(size) {
  const stepX = 2 ** Math.round(Math.log2(size / state.view.scaleX));
  const stepY = 2 ** Math.round(Math.log2((size * height) / width / state.view.scaleY));
  const [left, top] = toLatent([0, 0]);
  const [right, bottom] = toLatent([plane.width, plane.height]);
  const cells = [];
  for (let row = Math.floor(bottom / stepY); row * stepY < top; row++) {
    for (let column = Math.floor(left / stepX); column * stepX < right; column++) {
      const [x, y] = toScreen([column * stepX, (row + 1) * stepY]).map(Math.round); // whole pixels leave no seams
      const [x1, y1] = toScreen([(column + 1) * stepX, row * stepY]).map(Math.round);
      cells.push({
        key: `${stepX} ${stepY} ${column} ${row}`,
        middle: [(column + 0.5) * stepX, (row + 0.5) * stepY],
        place: [x, y, x1 - x, y1 - y],
      });
    }
  }
  const away = ({ middle }) => Math.hypot(middle[0] - state.view.x, middle[1] - state.view.y);
  return cells.sort((a, b) => away(a) - away(b)); // from the middle of the map outwards
}
