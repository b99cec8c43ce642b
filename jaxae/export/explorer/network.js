// The encoder and the decoder: Dense layers, BatchNorm folded into them. A layer is x -> activation(x K + b).
import { floatsOf, halvesOf, inflated } from "./arrays.js";
import { data } from "./dataset.js";

const weights = {
  i8: new Int8Array(await inflated(data.weights.i8)),
  f16: halvesOf(data.weights.f16),
  f32: floatsOf(data.weights.f32),
};
const taken = { i8: 0, f16: 0, f32: 0 };

function take(precision, count) {
  taken[precision] += count;
  return weights[precision].subarray(taken[precision] - count, taken[precision]);
}

const makeLayer = ({ inputs, outputs, activation, precision }) => ({
  outputs,
  activation,
  kernel: precision === "i8" ? scaled(inputs, outputs) : take(precision, inputs * outputs), // [input][output]
  bias: take(precision === "i8" ? "f32" : precision, outputs),
});

// A kernel of whole numbers, each column times its scale.
function scaled(inputs, outputs) {
  const whole = take("i8", inputs * outputs);
  const scale = take("f32", outputs);
  return Float32Array.from(whole, (value, i) => value * scale[i % outputs]);
}

const encoder = data.network.encoder.map(makeLayer);
const decoder = data.network.decoder.map(makeLayer);

// The latent, two numbers, of an image: Float32Array [height * width * channels] in [0, 1].
export const encode = (image) => Array.from(forward(encoder, image));

// The image of a latent.
export const decode = (latent) => Float32Array.from(forward(decoder, latent));

function forward(layers, x) {
  for (const layer of layers) x = activate(layer, multiply(layer, x));
  return x;
}

// x K + bias. The sums are in float64.
function multiply({ kernel, bias, outputs }, x) {
  const sum = Float64Array.from(bias);
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
  let [x, a, b] = [latent, [1, 0], [0, 1]]; // a and b are the two columns of the Jacobian so far
  for (const layer of decoder) {
    [x, a, b] = multiplyThree(layer, x, a, b);
    activate(layer, x);
    for (let j = 0; j < x.length; j++) {
      const slope = layer.activation === "relu" ? (x[j] > 0 ? 1 : 0) : x[j] * (1 - x[j]);
      a[j] *= slope;
      b[j] *= slope;
    }
  }
  let [aa, ab, bb] = [0, 0, 0];
  for (let j = 0; j < a.length; j++) {
    aa += a[j] * a[j];
    ab += a[j] * b[j];
    bb += b[j] * b[j];
  }
  return Math.log10(Math.max(aa * bb - ab * ab, 1e-12)) / 2;
}

// x K + bias, a K and b K, in one pass over the kernel.
function multiplyThree({ kernel, bias, outputs }, x, a, b) {
  const sums = [Float64Array.from(bias), new Float64Array(outputs), new Float64Array(outputs)];
  const [sumX, sumA, sumB] = sums;
  for (let i = 0; i < x.length; i++) {
    const [xi, ai, bi] = [x[i], a[i], b[i]];
    if (xi === 0 && ai === 0 && bi === 0) continue;
    for (let j = 0, at = i * outputs; j < outputs; j++, at++) {
      const weight = kernel[at];
      sumX[j] += xi * weight;
      sumA[j] += ai * weight;
      sumB[j] += bi * weight;
    }
  }
  return sums;
}
