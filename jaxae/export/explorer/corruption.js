// Gaussian noise. An image has the same noise whenever it is shown, as in jaxae, but from another generator.

const noiseOf = new Map();

// N(0, 1) for each value of an image: a function of the image's index and of which draw it is.
export function standardNoise(index, draw, length) {
  const key = `${index} ${draw}`;
  if (!noiseOf.has(key)) {
    if (noiseOf.size > 50) noiseOf.clear();
    const uniform = xorshift(index * 7919 + draw * 104729 + 1);
    noiseOf.set(key, Float32Array.from({ length }, () => boxMuller(uniform)));
  }
  return noiseOf.get(key);
}

// clip(image + std * noise, 0, 1).
export const addNoise = (image, noise, std) =>
  image.map((value, i) => Math.min(Math.max(value + std * noise[i], 0), 1));

const boxMuller = (uniform) => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

// Uniform in [0, 1): Marsaglia's xorshift of 32 bits, from a seed whose bits are spread first.
function xorshift(seed) {
  let x = Math.imul(seed, 0x9e3779b1) || 1;
  const next = () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 20; i++) next(); // neighbouring seeds begin alike
  return next;
}
