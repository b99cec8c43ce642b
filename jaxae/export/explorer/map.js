// The map: three canvases one above another, each drawn only when what it shows has changed.
import { byId } from "./elements.js";
import { drawLayer } from "./layers.js";
import { drawOverlay } from "./overlay.js";
import { drawPoints } from "./points.js";
import { state, update, watch } from "./store.js";
import { homeView, plane } from "./view.js";

const frame = byId("plane");
const contexts = ["backdrop", "points", "overlay"].map((id) => byId(id).getContext("2d"));
const [backdrop, points, overlay] = contexts;

export const drawing = { milliseconds: 0, drawn: 0 }; // how long the points took, and how many they were

function cleared(context) {
  const sharp = context.canvas.width / plane.width;
  context.setTransform(sharp, 0, 0, sharp, 0, 0);
  context.clearRect(0, 0, plane.width, plane.height);
  return context;
}

// Fits the canvases to the page, sharp on every screen; the middle of the map stays, and so does the zoom.
// A page that is not shown yet, as in a closed tab, has no size: a pixel then, from which a zoom can grow again.
function fit() {
  const before = state.view && homeView();
  [plane.width, plane.height] = [frame.clientWidth || 1, frame.clientHeight || 1];
  const sharp = Math.min(devicePixelRatio || 1, 2);
  for (const { canvas } of contexts) {
    [canvas.width, canvas.height] = [Math.round(plane.width * sharp), Math.round(plane.height * sharp)];
  }
  const home = homeView();
  if (!before) return update({ view: home });
  const { view } = state;
  const scaleX = (view.scaleX * home.scaleX) / before.scaleX;
  update({ view: { ...view, scaleX, scaleY: (view.scaleY * home.scaleY) / before.scaleY } });
}

export function showMap() {
  watch(["view", "hidden", "layer", "computed", "theme"], () => {
    const missing = drawLayer(cleared(backdrop));
    if (missing) update({ computed: state.computed + 1 }); // the rest comes in the next frames
  });
  watch(["view", "hidden", "layer", "dots", "thumbnails", "theme"], () => {
    const begin = performance.now();
    cleared(points);
    drawing.drawn = state.dots ? drawPoints(points, state.layer !== "none") : 0;
    drawing.milliseconds = performance.now() - begin;
  });
  const shown = ["outline", "cursor", "nearest", "chosen", "walk", "ends", "along", "sketch", "tab"];
  watch(["view", "theme", ...shown], () => drawOverlay(cleared(overlay)));
  fit();
  new ResizeObserver(fit).observe(frame);
}
