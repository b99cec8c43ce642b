// Arrays that the page carries as base64 text.

export function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

// What a deflated text holds: an ArrayBuffer.
export const inflated = (text) =>
  new Response(new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();

export const floatsOf = (text) => new Float32Array(bytesOf(text).buffer);
export const integersOf = (text) => new Int32Array(bytesOf(text).buffer);

// Half-precision numbers as float32, through a table of all 65,536 of them.
export function halvesOf(text) {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    table[bits] = sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14);
  }
  const halves = new Uint16Array(bytesOf(text).buffer);
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < floats.length; i++) floats[i] = table[halves[i]];
  return floats;
}

// The q-th quantile, q in [0, 1], of an ascending array.
export const quantile = (sorted, q) => sorted[Math.round(q * (sorted.length - 1))];

// The share of an ascending array that lies below a value.
export function shareBelow(sorted, value) {
  let low = 0;
  for (let high = sorted.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low / sorted.length;
}
