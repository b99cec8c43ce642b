// What moves above the points: the pointer, the image that is shown, its walk under noise, the path, the drawing.
import { pageColour } from "./colours.js";
import { latentOf } from "./dataset.js";
import { shown, state } from "./store.js";
import { toScreen } from "./view.js";

export function drawOverlay(context) {
  const [ink, halo, accent] = ["ink", "paper", "accent"].map(pageColour);
  const line = (places, colour, width, dash = []) => {
    for (const [stroke, thick] of [[halo, width + 2.5], [colour, width]]) {
      context.strokeStyle = stroke;
      context.lineWidth = thick;
      context.setLineDash(stroke === halo ? [] : dash);
      context.beginPath();
      for (const [x, y] of places) context.lineTo(x, y);
      context.stroke();
    }
    context.setLineDash([]);
  };
  const ring = ([x, y], radius, colour, fill) => {
    for (const [stroke, thick] of [[halo, 4.5], [colour, 2]]) {
      context.strokeStyle = stroke;
      context.lineWidth = thick;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.stroke();
    }
    if (!fill) return;
    context.fillStyle = fill;
    context.fill();
  };
  const letter = ([x, y], text) => {
    ring([x, y], 9, accent, halo);
    context.fillStyle = ink;
    context.font = "600 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(text, x, y + 0.5);
  };

  if (state.outline.length) line([...state.outline, state.outline[0]].map((latent) => toScreen(latent)), accent, 1.5);
  if (state.tab === "path") {
    const ends = state.ends.map((end) => toScreen(end));
    if (ends.length === 2) line(ends, accent, 2);
    ends.forEach((end, i) => letter(end, "AB"[i]));
    if (ends.length === 2) ring(between(ends, state.along), 5, accent, accent);
  }
  if (state.tab === "sketch" && state.sketch) letter(toScreen(state.sketch), "\u270e");
  const cursor = toScreen(state.cursor);
  const image = toScreen(latentOf(shown()));
  if (state.tab === "noise" && state.walk.length) {
    const walk = state.walk.map((latent) => toScreen(latent));
    line(walk, accent, 2);
    ring(walk.at(-1), 5, accent, accent);
  }
  if (state.chosen === null) line([cursor, image], ink, 1, [3, 3]);
  ring(image, state.chosen === null ? 5 : 7, ink);
  line([[cursor[0] - 9, cursor[1]], [cursor[0] + 9, cursor[1]]], ink, 1.2);
  line([[cursor[0], cursor[1] - 9], [cursor[0], cursor[1] + 9]], ink, 1.2);
}

export const between = ([a, b], t) => [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
