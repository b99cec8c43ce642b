// A drawing, or a picture from a file: where it lands on the map, what comes back, and whether it is like the test images.
import { shareBelow } from "./arrays.js";
import { channels, className, count, height, imageOf, latentOf, names, size, sortedErrors, width } from "./dataset.js";
import { byId, whenPressed } from "./elements.js";
import { placeText } from "./look.js";
import { decode, encode } from "./network.js";
import { fitCanvas, meanSquaredError, showImage } from "./pictures.js";
import { pointAt } from "./pointer.js";
import { shown, update } from "./store.js";

const NEIGHBOURS = 5;
const paper = byId("paper");
export const drawn = new Float32Array(size); // what is on the paper

export function showSketch() {
  fitCanvas(paper);
  byId("grey-field").hidden = channels === 3;
  byId("colour-field").hidden = channels !== 3;
  watchBrush();
  whenPressed("clear", () => setImage(() => 0));
  whenPressed("invert", () => setImage((i) => 1 - drawn[i]));
  whenPressed("take", () => setImage((i) => imageOf(shown())[i]));
  byId("file").addEventListener("change", ({ target }) => target.files[0] && openFile(target.files[0]));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
  });
  showResult();
}

function setImage(valueAt) {
  drawn.set(drawn.map((_, i) => valueAt(i)));
  showResult();
}

function watchBrush() {
  let last = null; // where the brush was, in pixels of the image
  const placeOf = (event) => {
    const box = paper.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  paper.addEventListener("pointerdown", (event) => {
    paper.setPointerCapture(event.pointerId);
    last = placeOf(event);
    stroke(last, last);
  });
  paper.addEventListener("pointermove", (event) => {
    if (!last) return;
    const place = placeOf(event);
    stroke(last, place);
    last = place;
  });
  for (const end of ["pointerup", "pointercancel"]) paper.addEventListener(end, () => (last = null));
}

// A line of the brush's width with soft edges, blended over what is there.
function stroke(from, to) {
  const radius = Number(byId("brush-width").value) / 2;
  const colour = brushColour();
  for (let p = 0; p < width * height; p++) {
    const cover = Math.min(Math.max(radius + 0.5 - distanceToLine([(p % width) + 0.5, Math.floor(p / width) + 0.5], from, to), 0), 1);
    for (let c = 0; c < channels; c++) drawn[channels * p + c] += cover * (colour[c] - drawn[channels * p + c]);
  }
  showResult();
}

function brushColour() {
  if (document.querySelector("#sketch input[name=tool]:checked").value === "eraser") return new Array(channels).fill(0);
  if (channels !== 3) return new Array(channels).fill(Number(byId("brush-grey").value));
  return [1, 3, 5].map((at) => parseInt(byId("brush-colour").value.slice(at, at + 2), 16) / 255);
}

function distanceToLine([x, y], [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const along = dx || dy ? Math.min(Math.max(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0), 1) : 0;
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}

// Fits a picture into the paper, on black.
async function openFile(file) {
  update({ tab: "sketch" });
  const picture = await createImageBitmap(file).catch(() => null);
  if (!picture) return (byId("verdict").textContent = `${file.name} can't be read as a picture: give a PNG, for example.`);
  const canvas = fitCanvas(document.createElement("canvas"));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const scale = Math.min(width / picture.width, height / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
  const rgba = context.getImageData(0, 0, width, height).data;
  setImage((i) => {
    const at = 4 * Math.floor(i / channels);
    return (channels === 3 ? rgba[at + (i % 3)] : (rgba[at] + rgba[at + 1] + rgba[at + 2]) / 3) / 255;
  });
}

function showResult() {
  showImage(paper, drawn);
  const empty = drawn.every((value) => value === 0);
  const latent = encode(drawn);
  byId("verdict").textContent = empty ? "The paper is empty." : verdict(latent, meanSquaredError(decode(latent), drawn));
  update({ sketch: empty ? null : latent });
  if (!empty) pointAt(latent);
}

function verdict(latent, error) {
  const share = shareBelow(sortedErrors, error);
  const like = share >= 0.99 ? `It is unlike the ${data.images}.` : share >= 0.95 ? "That is unusual." : "That is nothing unusual.";
  const score = `Its anomaly score, the mean squared error of what comes back, is ${error.toFixed(4)}`;
  return `It lands at ${placeText(latent)}${neighbours(latent)}. ${score}: higher than that of ${Math.floor(100 * share)} % of the ${data.images}. ${like}`;
}

function neighbours(latent) {
  if (!names.length) return "";
  const distance = (i) => Math.hypot(latentOf(i)[0] - latent[0], latentOf(i)[1] - latent[1]);
  const distances = Array.from({ length: count }, (_, i) => [distance(i), className(i)]).sort((a, b) => a[0] - b[0]);
  const near = distances.slice(0, NEIGHBOURS).map(([, name]) => name);
  const counted = near.map((name) => [near.filter((other) => other === name).length, name]);
  const [most, name] = counted.reduce((best, each) => (each[0] > best[0] ? each : best));
  return `, where ${most} of the ${near.length} nearest images are of the class ${name}`;
}
