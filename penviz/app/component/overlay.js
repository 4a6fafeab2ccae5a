/**
 * Drawing over the figure, so that Plotly need not draw again: rings, lines, selections, and the morph.
 *
 * @typedef {import("./geometry.js").Frame} Frame
 * @typedef {{x: ArrayLike<number>, y: ArrayLike<number>}} Places  in drawn units
 * @typedef {Object} Panel  one panel as panels.js keeps it
 * @property {string} run
 * @property {string} split
 * @property {number} row
 * @property {ArrayLike<number>} x
 * @property {ArrayLike<number>} y
 * @property {number[][]} groups  [class, kind, how many] in the order of the points
 * @property {Frame} frame  where the panel is and what it shows now
 * @property {Places} now  where its points are now: x and y, or on their way to another panel's
 * @property {?{image: HTMLImageElement, place: number[]}} picture  shading and density: [left, top, width, height]
 * @property {number[][]} lines  boundaries: [x0, y0, x1, y1]
 * @property {{path: string, colour: string}[]} arrows  of the loss
 * @property {Object<string, Places>} marks  means, templates, optimum
 * @typedef {{page: string, text: string, note: string, frame: string, line: string}} Ink
 * @typedef {{ink: Ink, colours: string[], shown: Object<string, boolean>}} Look
 */
import { between, holds, toPixels } from "./geometry.js";

const TRIANGLE = 2 / Math.sqrt(3);
const [, INSIDE, OUTSIDE] = [0, 1, 2];

/**
 * Run a drawing that no panel's border lets out.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Frame} frame
 * @param {() => void} draw
 */
function clipped(ctx, { x0, y0, side }, draw) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x0, y0, side, side);
  ctx.clip();
  draw();
  ctx.restore();
}

/** Outline of class k around a pixel: circle, square, triangle, of Plotly's sizes. */
function outline(ctx, k, x, y, r) {
  if (k === 0) {
    ctx.moveTo(x + r, y);
    ctx.arc(x, y, r, 0, 7);
  } else if (k === 1) ctx.rect(x - r, y - r, 2 * r, 2 * r);
  else {
    ctx.moveTo(x - TRIANGLE * r, y + r / 2);
    ctx.lineTo(x + TRIANGLE * r, y + r / 2);
    ctx.lineTo(x, y - r);
    ctx.closePath();
  }
}

/**
 * The examples of a panel, as Plotly draws them.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Panel} panel
 * @param {Look} look
 * @param {{wanted?: (i: number) => boolean, kindOf?: (i: number, kind: number) => number, alpha?: number}} [how]
 */
export function drawPoints(ctx, panel, look, { wanted = () => true, kindOf = (_, kind) => kind, alpha = 1 } = {}) {
  const { frame, now } = panel;
  let i = 0;
  clipped(ctx, frame, () => {
    ctx.lineWidth = 1.3;
    for (const [k, drawnKind, count] of panel.groups) {
      ctx.fillStyle = ctx.strokeStyle = look.colours[k];
      for (const end = i + count; i < end; i++) {
        if (!wanted(i)) continue;
        const [x, y] = toPixels(frame, now.x[i], now.y[i]);
        if (!holds(frame, x, y)) continue;
        const kind = look.shown.errors ? kindOf(i, drawnKind) : 0;
        ctx.beginPath();
        if (kind === OUTSIDE) {
          ctx.moveTo(x - 2.75, y - 2.75);
          ctx.lineTo(x + 2.75, y + 2.75);
          ctx.moveTo(x + 2.75, y - 2.75);
          ctx.lineTo(x - 2.75, y + 2.75);
        } else outline(ctx, k, x, y, kind === INSIDE ? 3.5 : 2.75);
        ctx.globalAlpha = kind ? alpha : 0.75 * alpha;
        if (kind) ctx.stroke();
        else ctx.fill();
      }
    }
  });
}

/**
 * A selection in one panel: a veil over all, and over it the selected examples.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Panel} panel
 * @param {Look} look
 * @param {(i: number) => boolean} wanted
 */
export function drawSelection(ctx, panel, look, wanted) {
  const { x0, y0, side } = panel.frame;
  ctx.globalAlpha = 0.8;
  ctx.fillStyle = look.ink.page;
  ctx.fillRect(x0 + 1, y0 + 1, side - 2, side - 2);
  drawPoints(ctx, panel, look, { wanted });
  ctx.globalAlpha = 1;
}

/** Pluses, diamonds and stars with their rims. */
function drawMark(ctx, name, x, y, colour, { page, text }) {
  ctx.beginPath();
  if (name === "means") {
    const [r, s] = [6, 2];
    for (const [i, [a, b]] of [[-s, -r], [s, -r], [s, -s], [r, -s], [r, s], [s, s], [s, r], [-s, r], [-s, s], [-r, s], [-r, -s], [-s, -s]].entries())
      ctx[i ? "lineTo" : "moveTo"](x + a, y + b);
  } else if (name === "templates") {
    for (const [i, [a, b]] of [[0, -7], [7, 0], [0, 7], [-7, 0]].entries()) ctx[i ? "lineTo" : "moveTo"](x + a, y + b);
  } else {
    for (let i = 0; i < 10; i++) {
      const [r, a] = [i % 2 ? 4 : 10, (i * Math.PI) / 5];
      ctx[i ? "lineTo" : "moveTo"](x + r * Math.sin(a), y - r * Math.cos(a));
    }
  }
  ctx.closePath();
  ctx.fillStyle = name === "means" ? text : name === "templates" ? colour : page;
  ctx.strokeStyle = name === "means" ? page : text;
  ctx.lineWidth = 1.5;
  ctx.fill();
  ctx.stroke();
}

/**
 * What lies under and over the points of a panel, in the frame of another.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Panel} panel  whose shading, boundaries and arrows they are
 * @param {Frame} frame
 * @param {Look} look
 * @param {number} alpha
 */
function drawGround(ctx, panel, frame, look, alpha) {
  ctx.globalAlpha = alpha;
  if (panel.picture?.visible && panel.picture.image.complete) {
    const [left, top, width, height] = panel.picture.place;
    const [x0, y0] = toPixels(frame, left, top);
    const [x1, y1] = toPixels(frame, left + width, top - height);
    ctx.drawImage(panel.picture.image, x0, y0, x1 - x0, y1 - y0);
  }
  ctx.lineWidth = 1.1;
  if (look.shown.pull) {
    const [x0, y0] = toPixels(frame, 0, 0);
    const [x1, y1] = toPixels(frame, 1, 1);
    for (const { path, colour } of panel.arrows) {
      const placed = new Path2D();
      placed.addPath(new Path2D(path), new DOMMatrix([x1 - x0, 0, 0, y1 - y0, x0, y0]));
      ctx.strokeStyle = colour;
      ctx.stroke(placed);
    }
  }
  if (look.shown.boundaries) {
    ctx.strokeStyle = look.ink.line;
    ctx.setLineDash([4, 3]);
    for (const [xa, ya, xb, yb] of panel.lines) {
      ctx.beginPath();
      ctx.moveTo(...toPixels(frame, xa, ya));
      ctx.lineTo(...toPixels(frame, xb, yb));
      ctx.stroke();
    }
    ctx.setLineDash([]);
  }
}

/**
 * A panel whose points are on their way to another's: at t = 1 it is the other's picture.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Panel} panel  `now` and `frame` are already between the two
 * @param {Panel} to
 * @param {number} t
 * @param {ArrayLike<number>} match  where each point is in `to`; -1 where it is not
 * @param {Look} look
 * @param {string} words  what moves, and how far it is
 */
export function drawMorph(ctx, panel, to, t, match, look, words) {
  const { frame, now } = panel;
  ctx.globalAlpha = 1;
  ctx.fillStyle = look.ink.page;
  ctx.fillRect(frame.x0 + 0.5, frame.y0 + 0.5, frame.side - 1, frame.side - 1);
  clipped(ctx, frame, () => {
    if (t < 1) drawGround(ctx, panel, frame, look, 1 - t);
    drawGround(ctx, to, frame, look, t);
    if (t < 1) {
      let i = 0;
      ctx.globalAlpha = 0.22;
      ctx.lineWidth = 0.8;
      for (const [k, , count] of panel.groups) {
        ctx.strokeStyle = look.colours[k];
        ctx.beginPath();
        for (const end = i + count; i < end; i++) {
          ctx.moveTo(...toPixels(frame, panel.x[i], panel.y[i]));
          ctx.lineTo(...toPixels(frame, now.x[i], now.y[i]));
        }
        ctx.stroke();
      }
    }
  });
  const kindOf = (i, kind) => (t > 0.5 && match[i] >= 0 ? to.kinds[match[i]] : kind);
  drawPoints(ctx, panel, look, { kindOf, wanted: (i) => match[i] >= 0 });
  clipped(ctx, frame, () => {
    for (const name of ["templates", "optimum", "means"]) {
      if (!look.shown[name]) continue;
      const [from, there] = [panel.marks[name], to.marks[name]];
      if (!from && !there) continue;
      ctx.globalAlpha = from && there ? 1 : from ? 1 - t : t;
      const x = from && there ? between(from.x, there.x, t) : (from || there).x;
      const y = from && there ? between(from.y, there.y, t) : (from || there).y;
      for (let k = 0; k < x.length; k++) drawMark(ctx, name, ...toPixels(frame, x[k], y[k]), look.colours[k], look.ink);
    }
  });
  ctx.globalAlpha = 1;
  ctx.font = '600 12px "Source Sans", sans-serif';
  ctx.fillStyle = look.ink.text;
  for (const [line, said] of words.split("\n").entries()) ctx.fillText(said, frame.x0 + 6, frame.y0 + 16 + 15 * line, frame.side - 12);
}

/**
 * Rings around one example in each panel that has it, and a line from run to run.
 * @param {CanvasRenderingContext2D} ctx
 * @param {{x: number, y: number, colour: string}[]} places  in the order of the runs
 * @param {Look} look
 */
export function drawLinked(ctx, places, look) {
  const stroke = (width, colour) => {
    ctx.lineWidth = width;
    ctx.strokeStyle = colour;
    ctx.stroke();
  };
  ctx.beginPath();
  for (const [i, { x, y }] of places.entries()) ctx[i ? "lineTo" : "moveTo"](x, y);
  ctx.globalAlpha = 0.75;
  stroke(3.2, look.ink.page);
  ctx.setLineDash([5, 3]);
  stroke(1.4, look.ink.text);
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
  for (const { x, y, colour } of places) {
    ctx.beginPath();
    ctx.arc(x, y, 6.5, 0, 7);
    ctx.fillStyle = colour;
    ctx.globalAlpha = 0.35;
    ctx.fill();
    ctx.globalAlpha = 1;
    stroke(4, look.ink.page);
    stroke(2, look.ink.text);
  }
}

/**
 * The lasso while it is drawn.
 * @param {CanvasRenderingContext2D} ctx
 * @param {number[][]} polygon
 * @param {Look} look
 */
export function drawLasso(ctx, polygon, look) {
  ctx.beginPath();
  for (const [i, [x, y]] of polygon.entries()) ctx[i ? "lineTo" : "moveTo"](x, y);
  ctx.closePath();
  ctx.fillStyle = look.ink.text;
  ctx.globalAlpha = 0.07;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.lineWidth = 1.2;
  ctx.strokeStyle = look.ink.text;
  ctx.setLineDash([3, 2]);
  ctx.stroke();
  ctx.setLineDash([]);
}
