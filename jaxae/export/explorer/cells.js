// Layers that run the decoder: the plane in cells, each computed once at its middle, a few milliseconds in a frame.
import { quantile } from "./arrays.js";
import { inferno, isDark, placeIn } from "./colours.js";
import { channels, count, height, latentOf, width } from "./dataset.js";
import { decode, logArea } from "./network.js";
import { mean } from "./pictures.js";
import { state } from "./store.js";
import { plane, toLatent, toScreen } from "./view.js";

const BUDGET = 10; // milliseconds of a frame
const MOST = 20000; // cells to keep

// What the decoder draws in the middle of each cell, like ink on the page.
export const decodedGrid = {
  sizes: [56], // of a cell, in pixels; it is the nearest power of two in latent units
  compute: (latent) => inkPicture(decode(latent)),
  paint(context, { cells }) {
    for (const { value, place } of cells) if (value) context.drawImage(value, ...place);
  },
};

// How much a step on the map changes the picture: log10 of the Jacobian's area.
export const distortion = {
  sizes: [80, 20],
  range: null,
  compute: logArea,
  // A pixel a cell, smoothly enlarged.
  paint(context, { cells, columns, rows, place }) {
    const pixels = new ImageData(columns, rows);
    for (const { value, at } of cells) {
      if (value === undefined) continue;
      pixels.data.set(inferno.subarray(placeIn(value, ...distortion.findRange())).subarray(0, 3), 4 * at);
      pixels.data[4 * at + 3] = 255;
    }
    context.drawImage(canvasOf(pixels), ...place);
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
  const pixels = new ImageData(width, height);
  const ink = isDark() ? 255 : 0;
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * p + c] = channels === 3 ? 255 * image[3 * p + c] : ink;
    pixels.data[4 * p + 3] = channels === 3 ? 170 : 140 * mean(image, p);
  }
  return canvasOf(pixels);
}

export function canvasOf(pixels) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [pixels.width, pixels.height];
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

const kept = new Map(); // layer -> cell -> value
let listed = { view: null, lists: new Map() }; // the cells of the view that was drawn last, by size

export function forgetCells() {
  kept.clear();
  listed = { view: null, lists: new Map() };
}

// Paints what is computed of a layer, coarse cells first, and computes on for a moment. Returns whether cells are missing.
export function drawCells(context, layer) {
  if (!kept.has(layer)) kept.set(layer, new Map());
  const values = kept.get(layer);
  if (values.size > MOST) values.clear();
  const until = performance.now() + BUDGET;
  let missing = false;
  context.imageSmoothingEnabled = layer === distortion;
  for (const size of layer.sizes) {
    const grid = cellsInView(size);
    for (const cell of grid.cells) {
      cell.value = values.get(cell.key);
      if (cell.value !== undefined) continue;
      missing ||= performance.now() > until;
      if (!missing) values.set(cell.key, (cell.value = layer.compute(cell.middle)));
    }
    layer.paint(context, grid);
  }
  return missing;
}

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
  const [first, last] = [Math.floor(left / stepX), Math.floor(right / stepX)];
  const [lowest, highest] = [Math.floor(bottom / stepY), Math.floor(top / stepY)];
  const [columns, rows] = [last - first + 1, highest - lowest + 1];
  const placeOf = (column, row, wide, high) => {
    const [x, y] = toScreen([column * stepX, (row + high) * stepY]).map(Math.round); // whole pixels leave no seams
    const [x1, y1] = toScreen([(column + wide) * stepX, row * stepY]).map(Math.round);
    return [x, y, x1 - x, y1 - y];
  };
  const cells = Array.from({ length: columns * rows }, (_, at) => {
    const [column, row] = [first + (at % columns), highest - Math.floor(at / columns)];
    const middle = [(column + 0.5) * stepX, (row + 0.5) * stepY];
    return { at, key: `${stepX} ${stepY} ${column} ${row}`, middle, place: placeOf(column, row, 1, 1) };
  });
  const away = ({ middle }) => Math.hypot(middle[0] - state.view.x, middle[1] - state.view.y);
  cells.sort((a, b) => away(a) - away(b)); // from the middle of the map outwards
  return { cells, columns, rows, place: placeOf(first, lowest, columns, rows) };
}
