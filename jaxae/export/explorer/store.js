// What the page shows at a moment. update() changes it; what watches a changed part is drawn anew in the next frame.

export const state = {
  view: null, // which part of the plane the map shows: view.js
  cursor: [0, 0], // the latent under the pointer
  nearest: 0, // the image nearest to the cursor on the map
  chosen: null, // an image that was clicked, and stays
  hidden: new Set(), // classes that the legend has switched off
  lasso: false, // whether a drag draws a line around images
  outline: [], // that line, in latents
  selected: [], // the images inside it
  layer: "none", // what lies behind the points
  computed: 0, // counts the frames in which a layer was computed further
  dots: true, // whether the points are drawn
  thumbnails: true, // whether images are drawn instead of points where there is room
  tab: "noise",
  noise: 0, // standard deviation
  draw: 0, // which draw of the noise
  walk: [], // latents of the shown image, from clean to as noisy as the slider says
  ends: [], // the two latents between which the path runs
  along: 0.5, // how far along the path, in [0, 1]
  sketch: null, // the latent of what was drawn
  theme: 0, // counts the changes between light and dark
};

const watchers = [];
let changed = new Set();

export function watch(names, draw) {
  watchers.push({ names, draw });
}

export function update(changes) {
  const waiting = changed.size > 0;
  for (const [name, value] of Object.entries(changes)) {
    if (state[name] !== value) changed.add(name);
    state[name] = value;
  }
  if (changed.size && !waiting) requestAnimationFrame(drawChanged);
}

function drawChanged() {
  const names = changed;
  changed = new Set();
  for (const watcher of watchers) if (watcher.names.some((name) => names.has(name))) watcher.draw();
}

// Draws everything once, when the page opens.
export function drawAll() {
  for (const { draw } of watchers) draw();
}

// The image that the pictures are of: the one that was clicked, or else the nearest one.
export const shown = () => state.chosen ?? state.nearest;
