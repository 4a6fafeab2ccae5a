// The pure part of the linked panels: node --test tests/app/geometry.test.mjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const source = readFileSync(new URL("../../penviz/app/component/geometry.js", import.meta.url), "utf8");
const g = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const FRAME = { x0: 100, y0: 50, side: 200, range: [-1, 1, 0, 4] };
const PADS = { left: 30, right: 10, gap: 40, head: 6, foot: 46, least: 220, beside: 300, above: 96 };
const seeded = (seed) => () => (seed = (seed * 48271) % 2147483647) / 2147483647;

test("arrays are unpacked as NumPy packed them", () => {
  const bytes = Buffer.from(new Float32Array([1.5, -2, 3e-5]).buffer);
  assert.deepEqual([...g.unpack({ dtype: "f4", bdata: bytes.toString("base64") })], [1.5, -2, Math.fround(3e-5)]);
  assert.deepEqual([...g.unpack({ dtype: "i4", bdata: Buffer.from(new Int32Array([7, -9]).buffer).toString("base64") })], [7, -9]);
});

test("corners of the data are corners of the panel, y upward", () => {
  assert.deepEqual(g.toPixels(FRAME, -1, 0), [100, 250]);
  assert.deepEqual(g.toPixels(FRAME, 1, 4), [300, 50]);
  assert.deepEqual(g.toPixels(FRAME, 0, 1), [200, 200]);
});

test("the nearest point is that of a search by brute force, within reach only", () => {
  const random = seeded(3);
  const xs = Array.from({ length: 300 }, () => random() * 2.4 - 1.2);
  const ys = Array.from({ length: 300 }, () => random() * 4.8 - 0.4);
  let hits = 0;
  for (let n = 0; n < 200; n++) {
    const pixel = [100 + 200 * random(), 50 + 200 * random()];
    const far = xs.map((x, i) => {
      const [px, py] = g.toPixels(FRAME, x, ys[i]);
      const inside = px >= 100 && px <= 300 && py >= 50 && py <= 250;
      return inside ? Math.hypot(px - pixel[0], py - pixel[1]) : Infinity;
    });
    const least = Math.min(...far);
    const expected = least <= 8 ? far.lastIndexOf(least) : -1;
    assert.equal(g.nearest(FRAME, xs, ys, pixel, 8), expected);
    hits += expected >= 0;
  }
  assert.ok(hits > 50 && hits < 200, "both answers must occur");
});

test("an arrow key goes to what is ahead, and stays where nothing is", () => {
  const [xs, ys] = [[0, 0.2, -0.2, 0.05, 0], [2, 2.02, 2, 3.5, 1.9]];
  assert.equal(g.neighbour(FRAME, xs, ys, 0, [1, 0]), 1);
  assert.equal(g.neighbour(FRAME, xs, ys, 0, [-1, 0]), 2);
  assert.equal(g.neighbour(FRAME, xs, ys, 0, [0, -1]), 3);
  assert.equal(g.neighbour(FRAME, xs, ys, 0, [0, 1]), 4);
  assert.equal(g.neighbour(FRAME, xs, ys, 1, [1, 0]), -1);
});

test("every point of a cloud is reached by arrow keys", () => {
  const random = seeded(11);
  const xs = Array.from({ length: 120 }, () => random() * 2 - 1);
  const ys = Array.from({ length: 120 }, () => random() * 4);
  const seen = new Set([0]);
  for (const i of seen) for (const d of [[1, 0], [-1, 0], [0, 1], [0, -1]]) seen.add(g.neighbour(FRAME, xs, ys, i, d));
  seen.delete(-1);
  assert.ok(seen.size >= 114, `${seen.size} of 120`);
});

test("a lasso holds what winds around once", () => {
  const notched = [[0, 0], [10, 0], [10, 10], [5, 4], [0, 10]];
  for (const [x, y, inside] of [[2, 2, true], [5, 3, true], [5, 6, false], [9, 8, true], [11, 5, false]]) assert.equal(g.encloses(notched, [x, y]), inside, `${x}, ${y}`);
});

test("a morph begins and ends exactly, not nearly", () => {
  const [from, to] = [[0.1, 1e9, -3], [0.3, 0.1, 7]];
  assert.deepEqual(g.between(from, to, 0), from);
  assert.deepEqual(g.between(from, to, 1), to);
  assert.deepEqual(g.between([0], [2], 0.25), [0.5]);
  assert.notEqual(1e9 + (0.1 - 1e9) * 1, 0.1, "plain arithmetic would miss the end");
});

test("panels fill a page without leaving it, in one column on a phone", () => {
  for (const [width, height, columns] of [[950, 590, 2], [1600, 870, 2], [340, 600, 1], [2300, 560, 4]]) {
    const grid = g.arrange({ rows: 2, splits: 2, width, height, layout: "auto", pads: PADS });
    assert.equal(grid.columns, columns, `${width} x ${height}`);
    assert.ok(grid.width + (grid.beside ? PADS.beside : 0) <= width);
    if (columns > 1 && grid.side > PADS.least) assert.ok(grid.height <= height);
  }
  assert.equal(g.arrange({ rows: 2, splits: 2, width: 1600, height: 870, layout: "strip", pads: PADS }).columns, 4);
  assert.equal(g.arrange({ rows: 2, splits: 2, width: 2300, height: 560, layout: "square", pads: PADS }).columns, 2);
});

test("the domains of panels are squares that do not overlap", () => {
  const grid = g.arrange({ rows: 2, splits: 2, width: 950, height: 590, layout: "auto", pads: PADS });
  const boxes = [0, 1, 2, 3].map((i) => g.domains(grid, PADS, i));
  for (const { x, y } of boxes) {
    assert.ok(Math.abs((x[1] - x[0]) * (grid.width - PADS.left - PADS.right) - grid.side) < 1e-9);
    assert.ok(Math.abs((y[1] - y[0]) * grid.height - grid.side) < 1e-9);
    assert.ok(Math.min(...x, ...y) >= 0 && Math.max(...x, ...y) <= 1);
  }
  assert.ok(boxes[0].x[1] < boxes[1].x[0] && boxes[0].y[0] > boxes[2].y[1]);
});

test("a selection survives its link, and nonsense is no selection", () => {
  const selection = { train: new Set([9, 4, 49999]), validation2: new Set([0]) };
  const letters = g.written(selection);
  assert.equal(letters, "train:4.5.12kg~validation2:0".replace("12kg", (49999 - 9).toString(36)));
  assert.deepEqual(g.read(letters), { train: new Set([4, 9, 49999]), validation2: new Set([0]) });
  for (const bad of ["", "train", "train:", "train:1..2", "TRAIN:1", "train:1;2", "a:__proto__"]) assert.deepEqual(g.read(bad), {}, bad);
});

test("a table runs in no spreadsheet", () => {
  assert.equal(g.csv([["a,b", 'say "x"', -1.5], ["=1+1", "@a", "plain"]]), '"a,b","say ""x""",-1.5\n\'=1+1,\'@a,plain\n');
});
