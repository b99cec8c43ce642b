// Images on the map instead of points, where there is room; and rings around those that were not trained on.
import { pageColour } from "./colours.js";
import { count, height, imageOf, isHeldOut, labels, width } from "./dataset.js";
import { showImage } from "./pictures.js";
import { state } from "./store.js";
import { eachInView, plane } from "./view.js";

const SIDE = 36; // the longer side of an image on the map
const COVER = 0.35; // the share of the map that the images in view may take: more are points
const scale = SIDE / Math.max(width, height);
const [tileWidth, tileHeight] = [width * scale, height * scale];
export const RING = 0.6 * SIDE;

const thumbnails = new Map(); // canvases by image

export const hasRoom = (images) => images * tileWidth * tileHeight <= COVER * plane.width * plane.height;

function thumbnailOf(i) {
  if (!thumbnails.has(i)) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    showImage(canvas, imageOf(i));
    thumbnails.set(i, canvas);
  }
  return thumbnails.get(i);
}

function drawThumbnail(context, x, y, i) {
  context.imageSmoothingEnabled = scale < 1;
  context.fillRect(x - tileWidth / 2 - 1.5, y - tileHeight / 2 - 1.5, tileWidth + 3, tileHeight + 3);
  context.drawImage(thumbnailOf(i), x - tileWidth / 2, y - tileHeight / 2, tileWidth, tileHeight);
}

// Each image itself, with a frame in the colour of its class.
export function drawThumbnails(context, first, end, step) {
  let drawn = 0;
  eachInView(first, end, step, (x, y, i) => {
    drawThumbnail(context, x, y, i);
    drawn++;
  });
  return drawn;
}

// The images that hide no other; the rest stay points.
export function drawSomeThumbnails(context) {
  const taken = [];
  eachInView(0, count, 1, (x, y, i) => {
    const hidesOne = taken.some(([left, top]) => Math.abs(left - x) < tileWidth + 5 && Math.abs(top - y) < tileHeight + 5);
    if (hidesOne) return;
    taken.push([x, y]);
    drawThumbnail(context, x, y, i);
    if (isHeldOut(i)) drawRing(context, x, y, RING);
  });
}

// Around the images that were not trained on.
export function drawRings(context, radius) {
  eachInView(0, count, 1, (x, y, i) => {
    if (isHeldOut(i) && !state.hidden.has(labels[i])) drawRing(context, x, y, radius);
  });
}

function drawRing(context, x, y, radius) {
  context.strokeStyle = pageColour("ink");
  context.lineWidth = 0.8;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}
