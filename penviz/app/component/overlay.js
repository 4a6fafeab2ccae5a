/**
 * Drawing over the figure, so that Plotly need not draw again: rings, lines, selections, and the morph.
 *
 * @typedef {import("./geometry.js").Frame} Frame
 * @typedef {import("./geometry.js").Numbers} Numbers
 * @typedef {import("./geometry.js").Pixel} Pixel
 * @typedef {CanvasRenderingContext2D} Canvas
 * @typedef {{x: Numbers, y: Numbers}} Places  in drawn units
 * @typedef {Object} Panel  one panel as panels.js keeps it
 * @property {string} run
 * @property {string} source  what its images come from: panels of one source share their examples
 * @property {number[][]} groups  [class, kind, how many] in the order of the points
 * @property {number[]} kinds  of each point: right, wrong among the three, a fourth class
 * @property {Numbers} x
 * @property {Numbers} y
 * @property {Places} now  where its points are now: x and y, or on their way to another panel's
 * @property {Frame} frame  where the panel is and what it shows now
 * @property {?{image: HTMLImageElement, visible: boolean, place: number[]}} picture  place: [left, top, width, height]
 * @property {number[][]} lines  boundaries: [x0, y0, x1, y1]
 * @property {{path: string, colour: string}[]} arrows  of the loss
 * @property {Object<string, Places>} marks  means, templates, optimum
 * @typedef {{ink: Object<string, string>, colours: string[], shown: Object<string, boolean>, head: number, foot: number, gap: number}} Look
 *   head, foot, gap: pixels above, below and between panels
 */
import { between, holds, toPixels } from "./geometry.js";

const TRIANGLE = 2 / Math.sqrt(3);
const [INSIDE, OUTSIDE] = [1, 2];
const PLUS = [[-2, -6], [2, -6], [2, -2], [6, -2], [6, 2], [2, 2], [2, 6], [-2, 6], [-2, 2], [-6, 2], [-6, -2], [-2, -2]];
const DIAMOND = [[0, -7], [7, 0], [0, 7], [-7, 0]];
const STAR = Array.from({ length: 10 }, (_, i) => [(i % 2 ? 4 : 10) * Math.sin((i * Math.PI) / 5), -(i % 2 ? 4 : 10) * Math.cos((i * Math.PI) / 5)]);

/** A line through some corners, moved. @type {(ctx: Canvas, corners: number[][], x?: number, y?: number) => void} */
function trace(ctx, corners, x = 0, y = 0) {
  ctx.beginPath();
  for (const [a, b] of corners) ctx.lineTo(x + a, y + b);
}

/** Run a drawing that no panel's border lets out. @type {(ctx: Canvas, frame: Frame, draw: () => void) => void} */
function clipped(ctx, { x0, y0, side }, draw) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x0, y0, side, side);
  ctx.clip();
  draw();
  ctx.restore();
}

/** The examples of a panel that are wanted, as Plotly draws them.
 * @type {(ctx: Canvas, panel: Panel, look: Look, wanted: (i: number) => boolean, kindOf?: (i: number, kind: number) => number) => void} */
function drawPoints(ctx, { frame, now, groups }, look, wanted, kindOf = (_, kind) => kind) {
  let i = 0;
  clipped(ctx, frame, () => {
    ctx.lineWidth = 1.3;
    for (const [k, drawnKind, count] of groups) {
      ctx.fillStyle = ctx.strokeStyle = look.colours[k];
      for (const end = i + count; i < end; i++) {
        if (!wanted(i)) continue;
        const [x, y] = toPixels(frame, now.x[i], now.y[i]);
        if (!holds(frame, x, y)) continue;
        const kind = look.shown.errors ? kindOf(i, drawnKind) : 0;
        const r = kind === INSIDE ? 3.5 : 2.75;
        ctx.beginPath();
        if (kind === OUTSIDE) {
          for (const s of [r, -r]) {
            ctx.moveTo(x - s, y - r);
            ctx.lineTo(x + s, y + r);
          }
        } else if (k === 0) ctx.arc(x, y, r, 0, 7);
        else if (k === 1) ctx.rect(x - r, y - r, 2 * r, 2 * r);
        else {
          trace(ctx, [[-TRIANGLE * r, r / 2], [TRIANGLE * r, r / 2], [0, -r]], x, y);
          ctx.closePath();
        }
        ctx.globalAlpha = kind ? 1 : 0.75;
        if (kind) ctx.stroke();
        else ctx.fill();
      }
    }
  });
  ctx.globalAlpha = 1;
}

/** The errors and the marks of a panel over its other points. @type {(ctx: Canvas, panel: Panel, look: Look) => void} */
export function drawMarked(ctx, panel, look) {
  drawPoints(ctx, panel, look, (i) => panel.kinds[i] > 0);
  clipped(ctx, panel.frame, () => drawMarks(ctx, panel, panel, 0, look));
}

/** A selection in one panel: a veil over all, and over it the selected examples.
 * @type {(ctx: Canvas, panel: Panel, look: Look, wanted: (i: number) => boolean) => void} */
export function drawSelection(ctx, panel, look, wanted) {
  const { x0, y0, side } = panel.frame;
  ctx.globalAlpha = 0.8;
  ctx.fillStyle = look.ink.page;
  ctx.fillRect(x0 + 1, y0 + 1, side - 2, side - 2);
  drawPoints(ctx, panel, look, wanted);
}

/** What lies under the points of a panel: shading, arrows, boundaries; in the frame of another.
 * @type {(ctx: Canvas, panel: Panel, frame: Frame, look: Look, alpha: number) => void} */
function drawGround(ctx, { picture, arrows, lines }, frame, look, alpha) {
  ctx.globalAlpha = alpha;
  if (picture?.visible && picture.image.complete) {
    const [left, top, width, height] = picture.place;
    const [x0, y0] = toPixels(frame, left, top);
    const [x1, y1] = toPixels(frame, left + width, top - height);
    ctx.drawImage(picture.image, x0, y0, x1 - x0, y1 - y0);
  }
  ctx.lineWidth = 1.1;
  const [x0, y0] = toPixels(frame, 0, 0);
  const [x1, y1] = toPixels(frame, 1, 1);
  for (const { path, colour } of look.shown.pull ? arrows : []) {
    const placed = new Path2D();
    placed.addPath(new Path2D(path), new DOMMatrix([x1 - x0, 0, 0, y1 - y0, x0, y0]));
    ctx.strokeStyle = colour;
    ctx.stroke(placed);
  }
  ctx.strokeStyle = look.ink.line;
  ctx.setLineDash([4, 3]);
  for (const [xa, ya, xb, yb] of look.shown.boundaries ? lines : []) {
    trace(ctx, [toPixels(frame, xa, ya), toPixels(frame, xb, yb)]);
    ctx.stroke();
  }
  ctx.setLineDash([]);
}

/** Pluses, diamonds and stars with their rims, on their way. @type {(ctx: Canvas, panel: Panel, to: Panel, t: number, look: Look) => void} */
function drawMarks(ctx, { frame, marks }, to, t, { ink, colours, shown }) {
  for (const [name, shape] of Object.entries({ templates: DIAMOND, optimum: STAR, means: PLUS })) {
    const [from, there] = [marks[name], to.marks[name]];
    if (!shown[name] || !(from || there)) continue;
    ctx.globalAlpha = from && there ? 1 : from ? 1 - t : t;
    const [x, y] = ["x", "y"].map((key) => between((from || there)[key], (there || from)[key], t));
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = name === "means" ? ink.page : ink.text;
    for (let k = 0; k < x.length; k++) {
      trace(ctx, shape, ...toPixels(frame, x[k], y[k]));
      ctx.closePath();
      ctx.fillStyle = name === "means" ? ink.text : name === "templates" ? colours[k] : ink.page;
      ctx.fill();
      ctx.stroke();
    }
  }
  ctx.globalAlpha = 1;
}

/**
 * A panel whose points are on their way to another's: at t = 1 it is the other's picture.
 * @param {Canvas} ctx
 * @param {Panel} panel  `now` and `frame` are already between the two
 * @param {Panel} to
 * @param {number} t
 * @param {Numbers} match  where each point is in `to`; -1 where it is not
 * @param {Look} look
 * @param {string[]} words  what moves, and how far it is
 */
export function drawMorph(ctx, panel, to, t, match, look, words) {
  const { frame, now } = panel;
  ctx.globalAlpha = 1;
  ctx.fillStyle = look.ink.page;
  ctx.fillRect(frame.x0 + 0.5, frame.y0 + 0.5, frame.side - 1, frame.side - 1);
  for (const [y, height] of [[frame.y0 - look.head, look.head - 1], [frame.y0 + frame.side + 1, look.foot - 1]])
    ctx.fillRect(frame.x0 - 4, y, frame.side + look.gap - 4, height); // its words hold no more
  clipped(ctx, frame, () => {
    drawGround(ctx, panel, frame, look, 1 - t);
    drawGround(ctx, to, frame, look, t);
    ctx.globalAlpha = 0.22;
    ctx.lineWidth = 0.8;
    let i = 0;
    for (const [k, , count] of t < 1 ? panel.groups : []) {
      ctx.strokeStyle = look.colours[k];
      ctx.beginPath();
      for (const end = i + count; i < end; i++) {
        ctx.moveTo(...toPixels(frame, panel.x[i], panel.y[i]));
        ctx.lineTo(...toPixels(frame, now.x[i], now.y[i]));
      }
      ctx.stroke();
    }
  });
  drawPoints(ctx, panel, look, (i) => match[i] >= 0, (i, kind) => (t > 0.5 ? to.kinds[match[i]] : kind));
  clipped(ctx, frame, () => drawMarks(ctx, panel, to, t, look));
  Object.assign(ctx, { font: '600 12px "Source Sans", sans-serif', fillStyle: look.ink.text });
  for (const [line, said] of words.entries()) ctx.fillText(said, frame.x0, frame.y0 - 20 + 15 * line, frame.side);
}

/** Rings around one example in all its panels, and a line from run to run. @type {(ctx: Canvas, pixels: Pixel[], colour: string, look: Look) => void} */
export function drawLinked(ctx, pixels, colour, { ink }) {
  const stroke = (lineWidth, strokeStyle) => {
    Object.assign(ctx, { lineWidth, strokeStyle });
    ctx.stroke();
  };
  trace(ctx, pixels);
  stroke(3.2, ink.page);
  ctx.setLineDash([5, 3]);
  stroke(1.4, ink.text);
  ctx.setLineDash([]);
  for (const [x, y] of pixels) {
    ctx.beginPath();
    ctx.arc(x, y, 6.5, 0, 7);
    Object.assign(ctx, { fillStyle: colour, globalAlpha: 0.35 });
    ctx.fill();
    ctx.globalAlpha = 1;
    stroke(4, ink.page);
    stroke(2, ink.text);
  }
}

/** The lasso while it is drawn. @type {(ctx: Canvas, polygon: Pixel[], look: Look) => void} */
export function drawLasso(ctx, polygon, { ink }) {
  trace(ctx, polygon);
  ctx.closePath();
  Object.assign(ctx, { fillStyle: ink.text, strokeStyle: ink.text, lineWidth: 1.2, globalAlpha: 0.07 });
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.setLineDash([3, 2]);
  ctx.stroke();
  ctx.setLineDash([]);
}
