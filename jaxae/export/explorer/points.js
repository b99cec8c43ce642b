// The images as points, or as themselves where there is room, and those far away as triangles at the edge of the map.
import { classColour, pageColour } from "./colours.js";
import { count, labels, latents, latentOf, names } from "./dataset.js";
import { state } from "./store.js";
import { drawRings, drawSomeThumbnails, drawThumbnails, hasRoom, RING } from "./thumbnails.js";
import { countInView, eachInView, isInside, isOutlier, plane, toScreen } from "./view.js";

const ROUNDS = 8; // points are drawn in turns, so that no class lies on top of all others
const EDGE = 7; // how far from the edge the triangles stand
const FEW = 2500; // so many or fewer points in view are drawn as discs

const classes = []; // [label, first, end]: images are sorted by class
for (let i = 0; i < count; i++) {
  if (!classes.length || classes.at(-1)[0] !== labels[i]) classes.push([labels[i], i, i]);
  classes.at(-1)[2] = i + 1;
}
export const classCounts = new Map(classes.map(([label, first, end]) => [label, end - first]));

const outliers = Array.from({ length: count }, (_, i) => i).filter((i) => isOutlier(...latentOf(i)));
export const outlierCount = outliers.length;

// Draws all points of the classes that are on. Returns how many it drew.
export function drawPoints(context, faint) {
  const inView = countInView();
  const radius = pointRadius(inView);
  const asImages = state.thumbnails && hasRoom(inView);
  if (!asImages && inView > FEW) {
    const drawn = drawSquares(context, radius, faint ? 0.65 : 0.85);
    if (inView <= 4 * FEW) drawRings(context, radius + 1.5);
    drawOutliers(context);
    return drawn;
  }
  const draw = asImages ? drawThumbnails : drawDiscs;
  context.globalAlpha = faint ? 0.4 : asImages ? 1 : 0.85;
  let drawn = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [label, first, end] of classes) {
      if (state.hidden.has(label)) continue;
      context.fillStyle = classColour(label);
      drawn += draw(context, first + round, end, ROUNDS, radius);
    }
  }
  context.globalAlpha = 1;
  drawRings(context, asImages ? RING : radius + 1.5);
  if (state.thumbnails && !asImages && !faint && !names.length) drawSomeThumbnails(context);
  drawOutliers(context);
  return drawn;
}

// Larger where there are fewer.
const pointRadius = (inView) => Math.min(Math.max(Math.sqrt((plane.width * plane.height) / (inView + 1)) / 6, 1.2), 5);

let image; // of the points, kept from frame to frame

// Many points as pixels: a canvas takes ten times as long for as many rectangles.
function drawSquares(context, radius, alpha) {
  const { width, height } = context.canvas;
  if (image?.width !== width || image.height !== height) image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer).fill(0);
  const sharp = width / plane.width;
  const side = Math.max(1, Math.round(2 * radius * sharp));
  let drawn = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [label, first, end] of classes) {
      if (state.hidden.has(label)) continue;
      const colour = pixelOf(classColour(label), alpha);
      eachInView(first + round, end, ROUNDS, (x, y) => {
        const left = Math.max(0, Math.round(x * sharp - side / 2));
        const right = Math.min(width, left + side);
        const top = Math.max(0, Math.round(y * sharp - side / 2));
        const bottom = Math.min(height, top + side);
        for (let row = top * width; row < bottom * width; row += width) {
          for (let column = left; column < right; column++) pixels[row + column] = colour; // fill() takes longer for so few
        }
        drawn++;
      });
    }
  }
  context.putImageData(image, 0, 0);
  return drawn;
}

// A colour such as #12ab34 as the bytes of a pixel.
function pixelOf(colour, alpha) {
  const bytes = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return new Uint32Array(Uint8Array.of(...bytes, Math.round(255 * alpha)).buffer)[0];
}

function drawDiscs(context, first, end, step, radius) {
  let drawn = 0;
  context.beginPath();
  eachInView(first, end, step, (x, y) => {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
    drawn++;
  });
  context.fill();
  return drawn;
}

// Where the triangle of an outlier stands; nothing where the point itself is in view.
function edgePlace(i) {
  const [x, y] = toScreen(latentOf(i));
  if (isInside([x, y])) return null;
  return [Math.min(Math.max(x, EDGE), plane.width - EDGE), Math.min(Math.max(y, EDGE), plane.height - EDGE)];
}

function drawOutliers(context) {
  context.strokeStyle = pageColour("ink");
  context.lineWidth = 0.7;
  for (const i of outliers) {
    const place = state.hidden.has(labels[i]) ? null : edgePlace(i);
    if (!place) continue;
    const [x, y] = place;
    context.fillStyle = classColour(labels[i]);
    context.beginPath();
    context.moveTo(x, y - 5);
    context.lineTo(x + 5, y + 4);
    context.lineTo(x - 5, y + 4);
    context.closePath();
    context.fill();
    context.stroke();
  }
}

// The outlier whose triangle is at this place of the map, or nothing.
export const outlierAt = ([x, y]) =>
  outliers.find((i) => {
    const place = state.hidden.has(labels[i]) ? null : edgePlace(i);
    return place && Math.hypot(place[0] - x, place[1] - y) < 9;
  });

// The image nearest to a latent on the map, of the classes that are on.
export function nearestTo([x, y]) {
  const { scaleX, scaleY } = state.view;
  let [best, least] = [state.nearest, Infinity];
  for (let i = 0; i < count; i++) {
    const distance = ((latents[2 * i] - x) * scaleX) ** 2 + ((latents[2 * i + 1] - y) * scaleY) ** 2;
    if (distance < least && !state.hidden.has(labels[i])) [best, least] = [i, distance];
  }
  return best;
}
