// Noise on the image that is shown: its noisy version, what comes back, the error; and its walk over the map.
import { addNoise, standardNoise } from "./corruption.js";
import { imageOf, indices, size } from "./dataset.js";
import { byId, whenPressed } from "./elements.js";
import { decode, encode } from "./network.js";
import { fitCanvas, psnr, showDifference, showImage } from "./pictures.js";
import { shown, state, update, watch } from "./store.js";

const WALK_STEPS = 24; // of the walk of an image that is kept
const walks = { key: "", latents: [] }; // of the kept image, at each step from no noise to the most

export function showNoise() {
  const [noisy, denoised, difference] = ["noisy", "denoised", "difference"].map((id) => fitCanvas(byId(id)));
  const slider = byId("std");
  slider.addEventListener("input", () => update({ noise: Number(slider.value) }));
  whenPressed("redraw", () => update({ draw: state.draw + 1 }));
  watch(["nearest", "chosen", "noise", "draw"], () => {
    const clean = imageOf(shown());
    const noise = standardNoise(indices[shown()], state.draw, size);
    const corrupted = addNoise(clean, noise, state.noise);
    const latent = encode(corrupted);
    const output = decode(latent);
    showImage(noisy, corrupted);
    showImage(denoised, output);
    showDifference(difference, output, clean);
    byId("noisy-text").textContent = psnr(corrupted, clean);
    byId("denoised-text").textContent = psnr(output, clean);
    byId("difference-text").textContent = `up to ${output.reduce((most, value, i) => Math.max(most, Math.abs(value - clean[i])), 0).toFixed(2)}`;
    slider.value = state.noise;
    byId("std-text").textContent = state.noise.toFixed(2);
    update({ walk: [...walkTo(clean, noise), latent] });
  });
}

// Latents from the clean image on; of an image under the pointer the first alone.
function walkTo(clean, noise) {
  if (state.chosen === null) return [encode(clean)];
  const key = `${state.chosen} ${state.draw}`;
  if (walks.key !== key) {
    walks.key = key;
    walks.latents = Array.from({ length: WALK_STEPS }, (_, i) => encode(addNoise(clean, noise, i / WALK_STEPS)));
  }
  return walks.latents.filter((_, i) => i === 0 || i / WALK_STEPS < state.noise);
}
