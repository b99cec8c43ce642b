// Which part of the latent plane the map shows: its centre, and how many pixels a unit takes in each dimension.
import { count, data, latents } from "./dataset.js";
import { state, update } from "./store.js";

export const plane = { width: 1, height: 1 }; // of the map, in CSS pixels
const { low, high } = data.view;

// All points but those far away; both dimensions have one scale, unless that would leave half of the map empty.
export function homeView() {
  let scaleX = plane.width / (high[0] - low[0]);
  let scaleY = plane.height / (high[1] - low[1]);
  const ratio = (high[1] - low[1]) / (high[0] - low[0]);
  if (ratio >= 0.5 && ratio <= 2) scaleX = scaleY = Math.min(scaleX, scaleY);
  return { x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, scaleX, scaleY };
}

export const isOutlier = (x, y) => x < low[0] || x > high[0] || y < low[1] || y > high[1];

export const toScreen = ([x, y], view = state.view) => [
  plane.width / 2 + (x - view.x) * view.scaleX,
  plane.height / 2 - (y - view.y) * view.scaleY,
];

export const toLatent = ([left, top], view = state.view) => [
  view.x + (left - plane.width / 2) / view.scaleX,
  view.y - (top - plane.height / 2) / view.scaleY,
];

export function countInView() {
  let inView = 0;
  eachInView(0, count, 1, () => inView++);
  return inView;
}

// Calls draw(x, y, i) for every step-th image from first to end whose point is in view.
export function eachInView(first, end, step, draw) {
  const { view } = state;
  const left = plane.width / 2 - view.x * view.scaleX;
  const top = plane.height / 2 + view.y * view.scaleY;
  for (let i = first; i < end; i += step) {
    const x = left + latents[2 * i] * view.scaleX;
    const y = top - latents[2 * i + 1] * view.scaleY;
    if (x > -5 && y > -5 && x < plane.width + 5 && y < plane.height + 5) draw(x, y, i);
  }
}

export const isInside = ([left, top], margin = 0) =>
  left >= margin && left <= plane.width - margin && top >= margin && top <= plane.height - margin;

export function panBy(dx, dy) {
  const { view } = state;
  update({ view: { ...view, x: view.x - dx / view.scaleX, y: view.y + dy / view.scaleY } });
}

// Zooms so that what is under this place of the map stays there.
export function zoomAt(factor, place = [plane.width / 2, plane.height / 2]) {
  const zoom = state.view.scaleX / homeView().scaleX;
  const by = Math.min(Math.max(factor, 1e-3 / zoom), 1e3 / zoom);
  const [x, y] = toLatent(place);
  const view = { x, y, scaleX: state.view.scaleX * by, scaleY: state.view.scaleY * by };
  [view.x, view.y] = toLatent([plane.width - place[0], plane.height - place[1]], view);
  update({ view });
}

// The view that shows every point.
export function wholeView() {
  const [left, bottom, right, top] = [0, 1, 0, 1].map((dimension, i) => {
    let value = i < 2 ? Infinity : -Infinity;
    for (let at = dimension; at < latents.length; at += 2) value = (i < 2 ? Math.min : Math.max)(value, latents[at]);
    return value;
  });
  const home = homeView();
  const needed = Math.max(
    ((right - left) * home.scaleX) / plane.width,
    ((top - bottom) * home.scaleY) / plane.height,
    1e-9,
  );
  const by = Math.min(1, 0.94 / needed);
  return by === 1 ? home : { x: (left + right) / 2, y: (bottom + top) / 2, scaleX: home.scaleX * by, scaleY: home.scaleY * by };
}

// Moves to a view in a fifth of a second; at once for those who want no motion.
export function flyTo(target) {
  const start = state.view;
  const begin = performance.now();
  const span = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 200;
  const step = (now) => {
    const t = span ? Math.min(1, (now - begin) / span) : 1;
    const ease = t * t * (3 - 2 * t);
    const between = (name) => start[name] + ease * (target[name] - start[name]);
    const scale = (name) => start[name] * (target[name] / start[name]) ** ease;
    update({ view: { x: between("x"), y: between("y"), scaleX: scale("scaleX"), scaleY: scale("scaleY") } });
    if (t < 1) requestAnimationFrame(step);
  };
  step(begin);
}
