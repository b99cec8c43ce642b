// The encoder and the decoder: Dense layers, BatchNorm folded into them. A layer is x -> activation(x K + b).
import { floatsOf, halvesOf } from "./arrays.js";
import { data } from "./dataset.js";

const weights = data.weights.type === "f16" ? halvesOf(data.weights.values) : floatsOf(data.weights.values);
let taken = 0;

function take(count) {
  taken += count;
  return weights.subarray(taken - count, taken);
}

const makeLayer = ({ inputs, outputs, activation }) => ({
  outputs,
  activation,
  kernel: take(inputs * outputs), // row by row: [input][output]
  bias: take(outputs),
});

const encoder = data.network.encoder.map(makeLayer);
const decoder = data.network.decoder.map(makeLayer);

// The latent, two numbers, of an image: Float32Array [height * width * channels] in [0, 1].
export const encode = (image) => Array.from(forward(encoder, image));

// The image of a latent.
export const decode = (latent) => Float32Array.from(forward(decoder, latent));

function forward(layers, x) {
  for (const layer of layers) x = activate(layer, multiply(layer, x, layer.bias));
  return x;
}

// x K + start. The sums are in float64.
function multiply({ kernel, outputs }, x, start) {
  const sum = start ? Float64Array.from(start) : new Float64Array(outputs);
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    if (value === 0) continue; // ReLU makes about half of a layer zero, and much of an image is black
    const row = i * outputs;
    for (let j = 0; j < outputs; j++) sum[j] += value * kernel[row + j];
  }
  return sum;
}

function activate({ activation }, x) {
  if (activation === "relu") for (let j = 0; j < x.length; j++) x[j] = Math.max(x[j], 0);
  if (activation === "sigmoid") for (let j = 0; j < x.length; j++) x[j] = 1 / (1 + Math.exp(-x[j]));
  return x;
}

// log10 of the area that the decoder makes of a unit of the map: the root of det(J'J), J = d image / d latent.
export function logArea(latent) {
  let x = latent;
  let [a, b] = [[1, 0], [0, 1]]; // the two columns of the Jacobian so far
  for (const layer of decoder) {
    const slope = (y) => (layer.activation === "relu" ? (y > 0 ? 1 : 0) : y * (1 - y));
    x = activate(layer, multiply(layer, x, layer.bias));
    [a, b] = [a, b].map((column) => multiply(layer, column, null).map((value, j) => value * slope(x[j])));
  }
  let [aa, ab, bb] = [0, 0, 0];
  for (let j = 0; j < a.length; j++) {
    aa += a[j] * a[j];
    ab += a[j] * b[j];
    bb += b[j] * b[j];
  }
  return Math.log10(Math.max(aa * bb - ab * ab, 1e-12)) / 2;
}
