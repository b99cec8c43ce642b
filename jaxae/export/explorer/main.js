// Opens the page: reads the images, shows every part, and takes the first image that there is.
import { count, data, imageOf, indices, isHeldOut, latents, loadImages } from "./dataset.js";
import { byId } from "./elements.js";
import { showLasso } from "./lasso.js";
import { showLayers } from "./layers.js";
import { showLegend, showSearch } from "./legend.js";
import { showLook } from "./look.js";
import { drawing, showMap } from "./map.js";
import { decode, encode, logArea } from "./network.js";
import { showNoise } from "./noise.js";
import { showPath } from "./path.js";
import { pointAt, watchMap } from "./pointer.js";
import { drawn, showSketch } from "./sketch.js";
import { drawAll, state, update } from "./store.js";
import { showTabs } from "./tabs.js";
import { toScreen } from "./view.js";

function describe(exact) {
  const number = (value) => value.toLocaleString("en");
  const all = data.total > count ? `A sample of ${number(count)} of ${number(data.total)}` : number(count);
  const ringed = indices.filter((_, i) => isHeldOut(i)).length;
  const rings = ringed ? `; the ${number(ringed)} with a ring were not trained on` : "";
  byId("about").textContent = `${all} ${data.images}, a point each${rings}`;
  byId("accuracy").textContent = exact
    ? `${data.about} ${data.accuracy}`
    : `${data.about} ${data.accuracy} This browser changes the pixels that a page reads, so every number here is a little off.`;
}

async function open() {
  const exact = await loadImages();
  describe(exact);
  showMap();
  showLook();
  showNoise();
  showPath();
  showLayers();
  showLegend();
  showLasso();
  showSearch();
  showSketch();
  showTabs();
  watchMap();
  update({ noise: data.noise });
  pointAt([state.view.x, state.view.y]);
  drawAll();
  byId("opening").remove();
  document.body.dataset.ready = Math.round(performance.now()); // milliseconds since the page was asked for
}

window.explorer = { state, update, encode, decode, logArea, imageOf, latents, paper: drawn, drawing, toScreen }; // for the console, and the tests

open().catch((error) => {
  byId("opening").textContent = `This page could not open: ${error.message}`;
  throw error;
});
