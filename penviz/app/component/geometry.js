/**
 * What the linked panels compute, free of any page: node tests it (tests/component/).
 *
 * @typedef {{dtype: string, bdata: string}} Packed  an array as Plotly's figures carry it
 * @typedef {{x0: number, y0: number, side: number, range: number[]}} Frame
 *   a panel on the canvas in pixels, and what its axes show: [x from, x to, y from, y to]
 * @typedef {Object<string, Set<number>>} Selection  indices of examples by split
 */

const KINDS = {
  f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array, i4: Int32Array,
  u1: Uint8Array, u2: Uint16Array, u4: Uint32Array,
};

/**
 * The numbers of a packed array, or of a list.
 * @param {Packed|number[]} packed
 * @returns {ArrayLike<number>}
 */
export function unpack(packed) {
  if (Array.isArray(packed)) return packed;
  const bytes = Uint8Array.from(atob(packed.bdata), (c) => c.charCodeAt(0));
  return new KINDS[packed.dtype](bytes.buffer);
}

/**
 * Where a point of the data is drawn.
 * @param {Frame} frame
 * @param {number} x
 * @param {number} y
 * @returns {[number, number]} pixels from the upper left corner of the canvas
 */
export function toPixels({ x0, y0, side, range: [a, b, c, d] }, x, y) {
  return [x0 + ((x - a) / (b - a)) * side, y0 + side - ((y - c) / (d - c)) * side];
}

/**
 * Whether a pixel lies in a panel.
 * @param {Frame} frame
 * @param {number} px
 * @param {number} py
 */
export function holds({ x0, y0, side }, px, py) {
  return px >= x0 && px <= x0 + side && py >= y0 && py <= y0 + side;
}

/**
 * The point nearest to a pixel, -1 if none is within reach. Of equally near ones the last, which lies on top.
 * @param {Frame} frame
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 * @param {number} px
 * @param {number} py
 * @param {number} reach  pixels
 */
export function nearest(frame, xs, ys, px, py, reach) {
  let found = -1;
  let least = reach * reach;
  for (let i = 0; i < xs.length; i++) {
    const [x, y] = toPixels(frame, xs[i], ys[i]);
    const distance = (x - px) ** 2 + (y - py) ** 2;
    if (distance <= least && holds(frame, x, y)) [found, least] = [i, distance];
  }
  return found;
}

/**
 * The next point in a direction: near, and rather straight ahead than aside. -1 if there is none.
 * @param {Frame} frame
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 * @param {number} from  position of the point to start from
 * @param {[number, number]} direction  a unit vector in pixels, y downward
 */
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

/**
 * Whether a pixel lies within a closed polygon (even-odd rule).
 * @param {number[][]} polygon
 * @param {number} px
 * @param {number} py
 */
export function encloses(polygon, px, py) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [polygon[i], polygon[j]];
    if (yi > py !== yj > py && px < ((xj - xi) * (py - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/**
 * Numbers between two lists; exactly the first at 0 and exactly the second at 1.
 * @param {ArrayLike<number>} from
 * @param {ArrayLike<number>} to
 * @param {number} t
 * @returns {number[]}
 */
export function between(from, to, t) {
  return Array.from(from, (a, i) => (t === 1 ? to[i] : a + (to[i] - a) * t));
}

/**
 * The square cells of some panels, and the figure that holds them, in pixels.
 *
 * Side by side in one strip, or in few columns beside what stands to their right, whichever makes them larger.
 * @param {{rows: number, splits: number, width: number, height: number, layout: string, pads: Object<string, number>}} page
 *   panels are rows x splits; width and height that there are; layout "auto", "strip" or "square"
 * @returns {{columns: number, side: number, width: number, height: number, beside: boolean}}
 */
export function arrange({ rows, splits, width, height, layout, pads }) {
  const fit = (columns, beside) => {
    const lines = Math.ceil((rows * splits) / columns);
    const room = width - (beside ? pads.beside : 0) - pads.left - pads.right - pads.gap * (columns - 1);
    const free = height - (beside ? 0 : pads.above) - lines * (pads.head + pads.foot);
    const fitting = Math.floor(Math.min(room / columns, Math.max(free / lines, pads.least)));
    const side = Math.max(fitting, 120);
    return {
      columns, side, beside,
      width: pads.left + pads.right + columns * side + pads.gap * (columns - 1),
      height: lines * (pads.head + side + pads.foot),
    };
  };
  const square = splits === 1 ? Math.min(rows, 2) : splits;
  const strip = Math.max(splits, Math.min(rows, Math.floor(4 / splits)) * splits);
  const ways = [fit(square, true), fit(square, false), fit(strip, false)];
  const wanted = layout === "strip" ? ways.slice(2) : layout === "square" ? ways.slice(0, 2) : ways;
  const best = wanted.reduce((a, b) => (b.side > a.side * 1.08 ? b : a));
  return best.side >= pads.least - 40 ? best : fit(1, false);
}

/**
 * Domains of the axes of panel number i, as shares of a figure without margins above and below.
 * @param {{columns: number, side: number, width: number, height: number}} page  as `arrange` says
 * @param {Object<string, number>} pads
 * @param {number} i
 */
export function domains({ columns, side, width, height }, pads, i) {
  const across = width - pads.left - pads.right;
  const left = (i % columns) * (side + pads.gap);
  const top = Math.floor(i / columns) * (pads.head + side + pads.foot) + pads.head;
  return { x: [left / across, (left + side) / across], y: [1 - (top + side) / height, 1 - top / height] };
}

/**
 * A selection as a few letters for a link: differences of the sorted indices in base 36, a split after the other.
 * @param {Selection} selection
 */
export function written(selection) {
  return Object.entries(selection)
    .filter(([, indices]) => indices.size)
    .map(([split, indices]) => {
      const sorted = [...indices].sort((a, b) => a - b);
      return `${split}:${sorted.map((v, i) => (v - (i ? sorted[i - 1] : 0)).toString(36)).join(".")}`;
    })
    .join("~");
}

/**
 * The selection that `written` wrote; what is not one is passed over.
 * @param {string} letters
 * @returns {Selection}
 */
export function read(letters) {
  /** @type {Selection} */
  const selection = {};
  for (const part of (letters || "").split("~")) {
    const [, split, steps] = /^([a-z]+):([0-9a-z]+(?:\.[0-9a-z]+)*)$/.exec(part) || [];
    let last = 0;
    if (split) selection[split] = new Set(steps.split(".").map((step) => (last += parseInt(step, 36))));
  }
  return selection;
}

/**
 * Rows as the text of a .csv that no spreadsheet runs, as penviz/csv_text.py writes it.
 * @param {(string|number)[][]} rows
 */
export function csv(rows) {
  const cell = (value) => {
    let text = String(value);
    if (typeof value === "string" && /^[=+\-@\t\r＝＋－＠]/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",") + "\n").join("");
}
