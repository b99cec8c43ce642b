// Layers that smooth what is known of the points: their density, and the error of their reconstructions.
import { canvasOf } from "./cells.js";
import { cividis, inferno, placeIn } from "./colours.js";
import { count, errors, labels, latents, sortedErrors } from "./dataset.js";
import { quantile } from "./arrays.js";
import { state } from "./store.js";
import { plane } from "./view.js";

const CELL = 4; // pixels
const SPREAD = 3; // standard deviation of the smoothing, in cells

// Points of the classes that are on, per cell, on a root scale.
export function drawDensity(context) {
  const [columns, rows, density] = smoothed(() => 1);
  const most = density.reduce((high, value) => Math.max(high, value), 0) || 1;
  paintField(context, columns, rows, (cell, rgba) => {
    const share = Math.sqrt(density[cell] / most);
    rgba.set(cividis.subarray(placeIn(share, 0, 1)).subarray(0, 3), 4 * cell);
    rgba[4 * cell + 3] = 255 * Math.min(1, 4 * share);
  });
}

export const errorRange = [quantile(sortedErrors, 0.02), quantile(sortedErrors, 0.98)];

// Mean squared error of the reconstructions near a place; it fades out where there are no points.
export function drawError(context) {
  const [columns, rows, weights] = smoothed(() => 1);
  const sums = smoothed((i) => errors[i])[2];
  paintField(context, columns, rows, (cell, rgba) => {
    const weight = weights[cell];
    rgba.set(inferno.subarray(placeIn(sums[cell] / weight, ...errorRange)).subarray(0, 3), 4 * cell);
    rgba[4 * cell + 3] = 255 * Math.min(1, 40 * weight);
  });
}

// Values of the points that are on, summed in cells of the map and smoothed by a Gaussian.
function smoothed(valueOf) {
  const columns = Math.ceil(plane.width / CELL);
  const rows = Math.ceil(plane.height / CELL);
  const sums = new Float32Array(columns * rows);
  const { view } = state;
  for (let i = 0; i < count; i++) {
    if (state.hidden.has(labels[i])) continue;
    const column = Math.floor((plane.width / 2 + (latents[2 * i] - view.x) * view.scaleX) / CELL);
    const row = Math.floor((plane.height / 2 - (latents[2 * i + 1] - view.y) * view.scaleY) / CELL);
    if (column >= 0 && column < columns && row >= 0 && row < rows) sums[row * columns + column] += valueOf(i);
  }
  return [columns, rows, blur(blur(sums, columns, rows, 1, columns), rows, columns, columns, 1)];
}

// Along one axis: lines of `length` cells, `step` apart; there are `lines` of them, `apart` apart.
function blur(values, length, lines, step, apart) {
  const reach = 3 * SPREAD;
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-((k - reach) ** 2) / (2 * SPREAD ** 2)));
  const total = kernel.reduce((sum, value) => sum + value, 0);
  const result = new Float32Array(values.length);
  for (let line = 0; line < lines; line++) {
    for (let from = 0; from < length; from++) {
      const value = values[line * apart + from * step] / total;
      if (!value) continue;
      for (let k = Math.max(0, reach - from); k < kernel.length && from + k - reach < length; k++) {
        result[line * apart + (from + k - reach) * step] += value * kernel[k];
      }
    }
  }
  return result;
}

function paintField(context, columns, rows, setCell) {
  const pixels = new ImageData(columns, rows);
  for (let cell = 0; cell < columns * rows; cell++) setCell(cell, pixels.data);
  context.imageSmoothingEnabled = true;
  context.drawImage(canvasOf(pixels), 0, 0, columns * CELL, rows * CELL);
}
