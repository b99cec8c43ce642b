// The two large pictures: what the decoder draws under the pointer, and the nearest test image, or the one that was kept.
import { imageOf, titleOf } from "./dataset.js";
import { byId, whenPressed } from "./elements.js";
import { decode } from "./network.js";
import { fitCanvas, showImage } from "./pictures.js";
import { shown, state, update, watch } from "./store.js";

const coordinate = (value) => value.toFixed(2).replace("-", "\u2212");
export const placeText = ([x, y]) => `(${coordinate(x)}, ${coordinate(y)})`;

export function showLook() {
  const [decoded, clean] = [fitCanvas(byId("decoded")), fitCanvas(byId("clean"))];
  watch(["cursor", "tab", "sketch"], () => {
    showImage(decoded, decode(state.cursor));
    byId("decoded-kind").textContent = state.tab === "sketch" && state.cursor === state.sketch ? "What comes back" : "Decoded";
    byId("decoded-text").textContent = `at ${placeText(state.cursor)}`;
  });
  watch(["nearest", "chosen"], () => {
    showImage(clean, imageOf(shown()));
    byId("clean-kind").textContent = state.chosen === null ? "Nearest image" : "Kept image";
    byId("clean-text").textContent = titleOf(shown());
    byId("release").hidden = state.chosen === null;
  });
  whenPressed("release", () => update({ chosen: null }));
}
