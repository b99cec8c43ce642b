// Images on canvases, a pixel for a pixel; style.css enlarges them.
import { channels, height, width } from "./dataset.js";
import { inferno, placeIn } from "./colours.js";

export function fitCanvas(canvas) {
  canvas.width = width;
  canvas.height = height;
  canvas.style.aspectRatio = `${width} / ${height}`;
  return canvas;
}

// Three channels in colour; of any other number their mean, as grey.
export function showImage(canvas, image) {
  paint(canvas, (p, rgba) => {
    for (let c = 0; c < 3; c++) {
      rgba[4 * p + c] = Math.round(255 * (channels === 3 ? image[3 * p + c] : mean(image, p)));
    }
  });
}

// The absolute difference of two images, black at 0 and brightest at 1.
export function showDifference(canvas, one, other) {
  const difference = one.map((value, i) => Math.abs(value - other[i]));
  paint(canvas, (p, rgba) => rgba.set(inferno.subarray(placeIn(mean(difference, p), 0, 1)).subarray(0, 3), 4 * p));
}

export function mean(image, p) {
  let sum = 0;
  for (let c = 0; c < channels; c++) sum += image[channels * p + c];
  return sum / channels;
}

function paint(canvas, setPixel) {
  const picture = new ImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    setPixel(p, picture.data);
    picture.data[4 * p + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

export function meanSquaredError(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += (one[i] - other[i]) ** 2;
  return sum / one.length;
}

export function psnr(one, other) {
  const error = meanSquaredError(one, other);
  return error ? `${(-10 * Math.log10(error)).toFixed(1)} dB` : "\u221e dB";
}
