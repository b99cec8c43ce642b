// Mouse, fingers and keys on the map. A mouse moves the pointer and drags the map; one finger moves the pointer, two the map.
import { latentOf } from "./dataset.js";
import { byId, whenPressed } from "./elements.js";
import { selectWithin } from "./lasso.js";
import { nearestTo, outlierAt } from "./points.js";
import { state, update } from "./store.js";
import { flyTo, homeView, isInside, panBy, toLatent, toScreen, wholeView, zoomAt } from "./view.js";

const target = byId("plane");
const CLICK = 5; // pixels that a click may move

export function pointAt(latent) {
  update({ cursor: latent, nearest: nearestTo(latent) });
}

// A click: what it does depends on the tab.
export function choose(latent) {
  pointAt(latent);
  if (state.tab === "path") return update({ ends: state.ends.length === 2 ? [latent] : [...state.ends, latent] });
  update({ chosen: state.chosen === state.nearest ? null : state.nearest });
}

// Keeps an image, and brings it into view.
export function goTo(i) {
  const latent = latentOf(i);
  if (!isInside(toScreen(latent), 20)) flyTo({ ...state.view, x: latent[0], y: latent[1] });
  update({ cursor: latent, nearest: i, chosen: i });
}

function placeOf(event) {
  const box = target.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function watchPointers() {
  const down = new Map(); // pointers that are pressed, by id: where they are
  let travelled = 0;
  let drawing = false; // whether the press draws a line around images
  target.addEventListener("pointerdown", (event) => {
    if (event.target.closest("#zoom")) return;
    target.setPointerCapture(event.pointerId);
    down.set(event.pointerId, placeOf(event));
    travelled = down.size > 1 ? Infinity : 0; // two fingers are no click
    drawing = down.size === 1 && (state.lasso || event.shiftKey);
    if (drawing) return update({ outline: [], selected: [] });
    if (event.pointerType !== "mouse" && down.size === 1) pointAt(toLatent(placeOf(event)));
  });
  target.addEventListener("pointermove", (event) => {
    const [place, last] = [placeOf(event), down.get(event.pointerId)];
    if (!last) {
      if (!event.target.closest("#zoom")) pointAt(toLatent(place));
      return;
    }
    down.set(event.pointerId, place);
    const [dx, dy] = [place[0] - last[0], place[1] - last[1]];
    travelled += Math.hypot(dx, dy);
    if (drawing && down.size === 1) return update({ outline: [...state.outline, toLatent(place)] });
    if (down.size === 2) return movePair([...down.values()], last, place);
    if (event.pointerType !== "mouse") return pointAt(toLatent(place));
    if (travelled > CLICK) panBy(dx, dy);
  });
  const release = (event) => {
    const place = down.get(event.pointerId);
    down.delete(event.pointerId);
    if (place && event.type === "pointerup" && travelled <= CLICK) click(place);
    else if (drawing && state.outline.length) selectWithin(state.outline);
    drawing = false;
  };
  target.addEventListener("pointerup", release);
  target.addEventListener("pointerleave", () => state.tab === "sketch" && state.sketch && pointAt(state.sketch));
  target.addEventListener("pointercancel", release);
}

// One of two fingers has moved: the map follows their middle and their distance.
function movePair(places, last, place) {
  const other = places.find((each) => each !== place);
  const distance = (each) => Math.max(20, Math.hypot(each[0] - other[0], each[1] - other[1]));
  panBy((place[0] - last[0]) / 2, (place[1] - last[1]) / 2);
  zoomAt(distance(place) / distance(last), [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2]);
}

function click(place) {
  const outlier = outlierAt(place);
  if (outlier === undefined) choose(toLatent(place));
  else goTo(outlier);
}

function watchWheel() {
  target.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      zoomAt(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), placeOf(event));
    },
    { passive: false },
  );
}

const showHome = () => flyTo(homeView());
const showAll = () => flyTo(wholeView());

function watchKeys() {
  const step = (dx, dy) => (event) => {
    const pixels = event.shiftKey ? 2 : 16;
    const [x, y] = toScreen(state.cursor);
    const next = [x + dx * pixels, y + dy * pixels];
    if (!isInside(next)) panBy(-dx * 80, -dy * 80);
    pointAt(toLatent(next));
  };
  const keys = {
    ArrowLeft: step(-1, 0),
    ArrowRight: step(1, 0),
    ArrowUp: step(0, -1),
    ArrowDown: step(0, 1),
    Enter: () => choose(state.cursor),
    Escape: () => update({ chosen: null }),
    "+": () => zoomAt(1.5, toScreen(state.cursor)),
    "=": () => zoomAt(1.5, toScreen(state.cursor)),
    "-": () => zoomAt(1 / 1.5, toScreen(state.cursor)),
    0: showHome,
    9: showAll,
  };
  target.addEventListener("keydown", (event) => {
    if (event.target !== target || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key](event);
  });
}

export function watchMap() {
  watchPointers();
  watchWheel();
  watchKeys();
  whenPressed("zoom-in", () => zoomAt(1.5));
  whenPressed("zoom-out", () => zoomAt(1 / 1.5));
  whenPressed("zoom-home", showHome);
  whenPressed("zoom-all", showAll);
}
