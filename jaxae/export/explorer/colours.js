// Colours: of the classes, of the page in light and dark, and the colour maps inferno and cividis.
import { bytesOf } from "./arrays.js";
import { data } from "./dataset.js";
import { state, update } from "./store.js";

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
prefersDark.addEventListener("change", () => update({ theme: state.theme + 1 }));

export const isDark = () => prefersDark.matches;
export const classColour = (label) => {
  const colours = isDark() ? data.colours.dark : data.colours.light;
  return colours[label % colours.length];
};

// A colour of style.css, by its name there.
export const pageColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export const inferno = bytesOf(data.maps.inferno); // [256][3]
export const cividis = bytesOf(data.maps.cividis);

// Where in a colour map a value stands, as the place of its first byte.
export const placeIn = (value, low, high) =>
  3 * Math.round(255 * Math.min(Math.max((value - low) / (high - low || 1), 0), 1));

export const cssColour = (map, at) => `rgb(${map[at]} ${map[at + 1]} ${map[at + 2]})`;
