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
  const draw = asImages ? drawThumbnails : inView <= FEW ? drawDiscs : drawSquares;
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
  if (inView <= 4 * FEW) drawRings(context, asImages ? RING : radius + 1.5);
  if (state.thumbnails && !asImages && !faint && !names.length && inView <= FEW) drawSomeThumbnails(context);
  drawOutliers(context);
  return drawn;
}

// Larger where there are fewer.
const pointRadius = (inView) => Math.min(Math.max(Math.sqrt((plane.width * plane.height) / (inView + 1)) / 6, 1.2), 5);

function drawSquares(context, first, end, step, radius) {
  let drawn = 0;
  eachInView(first, end, step, (x, y) => {
    context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
    drawn++;
  });
  return drawn;
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
