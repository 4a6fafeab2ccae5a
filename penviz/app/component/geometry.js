/**
 * What the linked panels compute, free of any page: node tests it.
 *
 * @typedef {{dtype: string, bdata: string}} Packed  an array as Plotly's figures carry it
 * @typedef {ArrayLike<number>} Numbers
 * @typedef {[number, number]} Pixel  from the upper left corner of the canvas
 * @typedef {{x0: number, y0: number, side: number, range: number[]}} Frame
 *   a panel on the canvas in pixels, and what its axes show: [x from, x to, y from, y to]
 * @typedef {Object<string, Set<number>>} Selection  indices of examples by source, as payload.py names sources
 * @typedef {{columns: number, side: number, beside: boolean, width: number, height: number}} Grid  in pixels
 */

const KINDS = { f4: Float32Array, f8: Float64Array, i2: Int16Array, i4: Int32Array, u1: Uint8Array, u4: Uint32Array };

/** The numbers of a packed array. @type {(packed: Packed) => Numbers} */
export function unpack({ dtype, bdata }) {
  return new KINDS[dtype](Uint8Array.from(atob(bdata), (c) => c.charCodeAt(0)).buffer);
}

/** Where a point of the data is drawn. @type {(frame: Frame, x: number, y: number) => Pixel} */
export function toPixels({ x0, y0, side, range: [a, b, c, d] }, x, y) {
  return [x0 + ((x - a) / (b - a)) * side, y0 + side - ((y - c) / (d - c)) * side];
}

/** Whether a pixel lies in a panel. @type {(frame: Frame, px: number, py: number) => boolean} */
export function holds({ x0, y0, side }, px, py) {
  return px >= x0 && px <= x0 + side && py >= y0 && py <= y0 + side;
}

/** The point nearest to a pixel, -1 if none is within reach. Of equally near ones the last, which lies on top.
 * @type {(frame: Frame, xs: Numbers, ys: Numbers, pixel: Pixel, reach: number) => number} */
export function nearest(frame, xs, ys, [px, py], reach) {
  let found = -1;
  let least = reach * reach;
  for (let i = 0; i < xs.length; i++) {
    const [x, y] = toPixels(frame, xs[i], ys[i]);
    const distance = (x - px) ** 2 + (y - py) ** 2;
    if (distance <= least && holds(frame, x, y)) [found, least] = [i, distance];
  }
  return found;
}

/** The next point in a direction (a unit vector, y downward): near, and rather ahead than aside; -1 if there is none.
 * @type {(frame: Frame, xs: Numbers, ys: Numbers, from: number, direction: number[]) => number} */
export function neighbour(frame, xs, ys, from, [dx, dy]) {
  const [px, py] = toPixels(frame, xs[from], ys[from]);
  let found = -1;
  let least = Infinity;
  for (let i = 0; i < xs.length; i++) {
    const [x, y] = toPixels(frame, xs[i], ys[i]);
    const ahead = (x - px) * dx + (y - py) * dy;
    const aside = Math.abs((x - px) * dy - (y - py) * dx);
    if (ahead < 0.5 || aside > ahead || !holds(frame, x, y)) continue;
    if (ahead + 2 * aside < least) [found, least] = [i, ahead + 2 * aside];
  }
  return found;
}

/** Whether a pixel lies within a closed polygon (even-odd rule). @type {(polygon: Pixel[], pixel: Pixel) => boolean} */
export function encloses(polygon, [px, py]) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [polygon[i], polygon[j]];
    if (yi > py !== yj > py && px < ((xj - xi) * (py - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** Numbers between two lists: exactly the first at 0, the second at 1. @type {(from: Numbers, to: Numbers, t: number) => number[]} */
export function between(from, to, t) {
  return Array.from(from, (a, i) => (t === 1 ? to[i] : a + (to[i] - a) * t));
}

/** How rows x splits square panels stand: in few columns beside the words, or in one strip, or in one column, whichever
 * makes them larger.
 * @type {(page: {rows: number, splits: number, width: number, height: number, layout: string, pads: Object<string, number>}) => Grid} */
export function arrange({ rows, splits, width, height, layout, pads }) {
  const fit = (columns, beside, tall = height) => {
    const lines = Math.ceil((rows * splits) / columns);
    const room = width - (beside ? pads.beside : 0) - pads.left - pads.right - pads.gap * (columns - 1);
    const free = tall - (beside ? 0 : pads.above) - lines * (pads.head + pads.foot);
    const side = Math.max(120, Math.floor(Math.min(room / columns, Math.max(free / lines, pads.least))));
    const across = pads.left + pads.right + columns * side + pads.gap * (columns - 1);
    return { columns, side, beside, width: across, height: lines * (pads.head + side + pads.foot) };
  };
  const square = splits === 1 ? Math.min(rows, 2) : splits;
  const strip = Math.max(splits, Math.min(rows, Math.floor(4 / splits)) * splits);
  const ways = layout === "strip" ? [fit(strip, false)] : [fit(square, true), fit(square, false)];
  if (layout === "auto") ways.push(fit(strip, false));
  const best = ways.reduce((a, b) => (b.side > a.side * 1.08 ? b : a));
  return best.side >= pads.least - 40 ? best : fit(1, false, Infinity);
}

/** Domains of the axes of panel number i, as shares of a figure without margins above and below.
 * @type {(grid: Grid, pads: Object<string, number>, i: number) => {x: number[], y: number[]}} */
export function domains({ columns, side, width, height }, pads, i) {
  const across = width - pads.left - pads.right;
  const left = (i % columns) * (side + pads.gap);
  const top = Math.floor(i / columns) * (pads.head + side + pads.foot) + pads.head;
  return { x: [left / across, (left + side) / across], y: [1 - (top + side) / height, 1 - top / height] };
}

/** A selection in few letters, for a link: a source after the other, differences of its sorted indices in base 36.
 * @type {(selection: Selection) => string} */
export function written(selection) {
  const parts = Object.entries(selection).filter(([, indices]) => indices.size);
  return parts.map(([source, indices]) => {
    const sorted = [...indices].sort((a, b) => a - b);
    return `${source}:${sorted.map((v, i) => (v - (i ? sorted[i - 1] : 0)).toString(36)).join(".")}`;
  }).join("~");
}

/** The selection that `written` wrote; what is not one is passed over. @type {(letters: string) => Selection} */
export function read(letters) {
  const selection = /** @type {Selection} */ ({});
  for (const part of letters.split("~")) {
    const [, source, steps] = /^([a-z]+\d*):([0-9a-z]{1,9}(?:\.[0-9a-z]{1,9})*)$/.exec(part) || [];
    let last = 0;
    if (source) selection[source] = new Set(steps.split(".").map((step) => (last += parseInt(step, 36))));
  }
  return selection;
}

/** Rows as the text of a .csv that no spreadsheet runs (as penviz.store.csv_text). @type {(rows: (string|number)[][]) => string} */
export function csv(rows) {
  const cell = (value) => {
    const text = (typeof value === "string" && /^[=+\-@\t\r＝＋－＠]/.test(value) ? "'" : "") + value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",") + "\n").join("");
}
