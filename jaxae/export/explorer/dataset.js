// The images, sorted by class, and what the page knows of each.
import { floatsOf, integersOf } from "./arrays.js";

export const data = JSON.parse(document.getElementById("data").textContent);
export const [height, width, channels] = data.shape;
export const size = height * width * channels;
export const count = data.count;
export const names = data.classes; // none where there are no labels
export const latents = floatsOf(data.latents); // [count][2]
export const labels = integersOf(data.labels);
export const indices = integersOf(data.indices); // of each image in the test split, or among all images
export const files = data.files; // the name of each image's file, if they have any
export const errors = floatsOf(data.errors); // mean squared error of the reconstruction of each clean image
export const sortedErrors = errors.slice().sort();

const pixels = new Uint8Array(count * size);
const place = new Map(Array.from(indices, (index, i) => [index, i]));

export const latentOf = (i) => [latents[2 * i], latents[2 * i + 1]];
export const withIndex = (index) => place.get(index); // where in our order the image of this index stands
export const className = (i) => (names.length ? names[labels[i]] : "");
export const nameOf = (i) => (files.length ? files[i] : `#${indices[i]}`);
export const titleOf = (i) => `${nameOf(i)}${names.length ? ` · ${className(i)}` : ""}${isHeldOut(i) ? " · not trained on" : ""}`;
export const isHeldOut = (i) => data.trained > 0 && indices[i] >= data.trained;

// The first image after this one whose file has the text in its name; undefined without one.
export function withName(text, after) {
  const wanted = text.trim().toLowerCase();
  for (let k = 1; k <= count; k++) {
    const i = (after + k) % count;
    if (files[i].toLowerCase().includes(wanted)) return i;
  }
}

// Image i: Float32Array [height * width * channels] in [0, 1].
export const imageOf = (i) => Float32Array.from(pixels.subarray(i * size, (i + 1) * size), (value) => value / 255);

// Fills the pixels from the pictures that the page carries. False where this browser does not give a picture's exact pixels.
export async function loadImages() {
  let first = 0;
  for (const sheet of data.sheets.pictures) {
    const picture = new Image();
    picture.src = `data:${data.sheets.type};base64,${sheet}`;
    await picture.decode();
    first += readSheet(picture, first);
  }
  let sum = 0;
  for (let i = 0; i < pixels.length; i++) sum += pixels[i];
  return data.sheets.sum === null || data.sheets.sum === sum;
}

// A colour image is a tile; of any other number of channels they stand one below another, each as a grey tile.
function readSheet(picture, first) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const { data: rgba } = context.getImageData(0, 0, canvas.width, canvas.height);
  const planes = channels === 3 ? 1 : channels;
  const columns = canvas.width / width;
  const here = Math.min(columns * (canvas.height / (height * planes)), count - first);
  for (let i = 0; i < here; i++) {
    const corner = Math.floor(i / columns) * height * planes * canvas.width + (i % columns) * width;
    for (let c = 0; c < channels; c++) {
      let to = (first + i) * size + c;
      const [plane, byte] = channels === 3 ? [0, c] : [c, 0];
      for (let y = 0; y < height; y++) {
        let from = 4 * (corner + (plane * height + y) * canvas.width) + byte;
        for (let x = 0; x < width; x++, from += 4, to += channels) pixels[to] = rgba[from];
      }
    }
  }
  return here;
}
