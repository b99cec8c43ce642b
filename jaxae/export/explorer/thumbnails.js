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

// Each image itself, with a frame in the colour of its class.
export function drawThumbnails(context, first, end, step) {
  let drawn = 0;
  context.imageSmoothingEnabled = scale < 1;
  eachInView(first, end, step, (x, y, i) => {
    context.fillRect(x - tileWidth / 2 - 1.5, y - tileHeight / 2 - 1.5, tileWidth + 3, tileHeight + 3);
    context.drawImage(thumbnailOf(i), x - tileWidth / 2, y - tileHeight / 2, tileWidth, tileHeight);
    drawn++;
  });
  return drawn;
}

// Around the images that were not trained on.
export function drawRings(context, radius) {
  context.strokeStyle = pageColour("ink");
  context.lineWidth = 0.8;
  context.beginPath();
  eachInView(0, count, 1, (x, y, i) => {
    if (!isHeldOut(i) || state.hidden.has(labels[i])) return;
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
  });
  context.stroke();
}
