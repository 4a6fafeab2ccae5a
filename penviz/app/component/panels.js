/**
 * The linked panels on the page: Plotly's figure, what lies over it, and what the reader does with them.
 *
 * An example is the same in all panels of its source. Nothing here sends the server a message.
 */
import { arrange, between, csv, domains, encloses, holds, nearest, neighbour, read, toPixels, unpack, written } from "./geometry.js";
import { drawLasso, drawLinked, drawMarked, drawMorph, drawSelection } from "./overlay.js";

/** @typedef {import("./overlay.js").Panel} Panel @typedef {import("./geometry.js").Pixel} Pixel */
/** @typedef {{panel: Panel, i: number}} Spot  an example in one of its panels */

const MOST_TILES = 60;
const MOST_LINK = 1800; // letters of a selection in an address
const MORPH_MS = 1600;
const REACH = 9; // pixels from a point at which the pointer means it
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @type {Object<string, Promise<any>>} */
const loading = {};
/** @type {WeakMap<Element, LinkedPanels>} */
const instances = new WeakMap();
/** The selection and what it was made of, while another page is shown. */
const kept = { letters: "", data: "" };

/** Plotly.js, once a page. @type {(url: string) => Promise<any>} */
function loadPlotly(url) {
  loading[url] ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.onload = () => done(window.Plotly);
    script.onerror = () => failed(new Error(`${url} did not load.`));
    script.src = url;
    document.head.append(script);
  });
  return loading[url];
}

/** Streamlit calls this when the component appears and whenever what it is given changes.
 * @type {(component: {data: Object, parentElement: HTMLElement}) => () => void} the end of it; a later call makes it void */
export function mount({ data, parentElement }) {
  const root = parentElement.querySelector(".pzc");
  if (!instances.has(root)) instances.set(root, new LinkedPanels(root));
  const own = instances.get(root);
  const call = own.update(data);
  return () => own.calls === call && own.remove();
}

/** A share that is never rounded to all. @type {(p: number) => string} */
const percent = (p) => (p > 0.9995 ? "> 99.9\u202f%" : `${(100 * p).toFixed(p >= 0.995 ? 1 : 0)}\u202f%`);

/** @type {(tag: string, className?: string, ...inside: (string|Node)[]) => HTMLElement} */
function element(tag, className = "", ...inside) {
  const made = Object.assign(document.createElement(tag), { className });
  made.append(...inside);
  return made;
}

class LinkedPanels {
  /** @param {HTMLElement} root */
  constructor(root) {
    Object.assign(this, { root, calls: 0, t: 0, selection: {}, data: null, spot: null });
    const one = (query) => root.querySelector(query);
    [this.plot, this.gd, this.tip, this.side, this.tray, this.said] =
      [".pzc-plot", ".pzc-plotly", ".pzc-tip", ".pzc-side", ".pzc-tray", ".pzc-said"].map(one);
    [this.slider, this.choice, this.play] = ["input", "select", "[data-do=play]"].map(one);
    [this.still, this.live] = root.querySelectorAll("canvas");
    this.gone = new AbortController();
    const on = (target, type, act) => target.addEventListener(type, act.bind(this), { signal: this.gone.signal });
    on(root, "click", (event) => this.press(event.target.closest("[data-do]")));
    on(this.plot, "pointerdown", this.grab);
    on(this.plot, "pointermove", this.move);
    on(this.plot, "pointerup", this.drop);
    on(this.plot, "keydown", this.key);
    for (const type of ["pointerleave", "blur"]) on(this.plot, type, () => this.point(null));
    for (const target of [this.slider, this.choice]) on(target, "input", () => this.morph(Number(this.slider.value)));
    on(this.tray, "pointerover", (event) => this.point(this.spotOf(event.target.closest("figure")?.dataset.example)));
    on(this.tray, "pointerout", () => this.point(null));
    this.watch = new ResizeObserver(() => this.resized());
    this.switches = new MutationObserver((changes) => this.toggled(changes));
    this.switches.observe(document.body, { subtree: true, attributeFilter: ["data-selected"] });
    root.linked = this; // for a console, and for tests
  }

  /** Take what the server gives, and draw anew only what differs. @type {(data: Object) => number} */
  update(data) {
    const differs = (key) => data[key] !== this.data?.[key];
    const [marked, filled, laid, asked] = ["marks", "payload", "layout", "selected"].map(differs);
    Object.assign(this, { data, config: JSON.parse(data.config) });
    if (marked) this.shown = JSON.parse(data.marks);
    this.plot.setAttribute("aria-label", data.alt);
    this.side.querySelector(".pzc-legend").innerHTML = data.legend; // as penviz.app.widgets.legend writes it
    if (filled) {
      this.take(JSON.parse(data.payload));
      this.place(); // so that nothing below moves when Plotly comes
    }
    const apart = this.panels.some((p) => /\d$/.test(p.source)) ? " Networks that were judged on other images are not linked." : "";
    this.side.querySelector(".pzc-hint").textContent = data.hint + apart;
    if (asked && data.selected) this.selection = read(data.selected);
    this.hide();
    this.ready = loadPlotly(data.plotly).then(async (Plotly) => {
      if (this.gone.signal.aborted) return;
      this.Plotly = Plotly;
      if (filled || !this.gd._fullLayout) await this.draw();
      else if (laid) await this.resized(true);
      if (filled || marked) this.showMarks();
      this.trayed();
    });
    this.ready.catch((error) => this.gd.replaceChildren(element("p", "pzc-hint", `The figure cannot be drawn: ${error.message}`)));
    return ++this.calls;
  }

  remove() {
    this.gone.abort();
    for (const watcher of [this.watch, this.switches]) watcher.disconnect();
    instances.delete(this.root);
    if (this.Plotly) this.Plotly.purge(this.gd);
  }

  /** Read what penviz.app.component.payload wrote. @type {(sent: Object) => void} */
  take(sent) {
    const { data, layout } = sent.figure;
    const groups = sent.panels.flatMap((panel) => panel?.groups ?? []);
    sent.figure.data = data.flatMap((trace, t) => {
      const [k, kind] = groups[t] ?? [];
      trace.uid = `${trace.meta || (kind ? "wrong" : "points")}-${t}`; // part of a class
      const alike = { color: sent.colours[k], symbol: sent.shapes[k], size: 5.5, opacity: 0.75 };
      return kind ? [trace, { ...trace, marker: alike, uid: `alike-${t}` }] : [trace];
    });
    /** @type {Panel[]} */
    this.panels = sent.panels.flatMap((panel, number) => {
      if (!panel) return [];
      const x = `x${panel.axis}`;
      const join = (key) => panel.traces.flatMap((t) => Array.from(unpack(data[t][key])));
      const of = (list, name) => list.filter((item) => item.xref === x && item.name === name);
      const own = data.filter((trace) => trace.meta && trace.xaxis === x);
      const [shading] = of(layout.images, "shading");
      const made = {
        ...panel, number, x: join("x"), y: join("y"),
        labels: panel.groups.flatMap(([k, , count]) => Array(count).fill(k)),
        kinds: panel.groups.flatMap(([, kind, count]) => Array(count).fill(kind)),
        marks: Object.fromEntries(own.map((trace) => [trace.meta, { x: unpack(trace.x), y: unpack(trace.y) }])),
        shaded: shading?.source,
        picture: shading && { image: new Image(), place: [shading.x, shading.y, shading.sizex, shading.sizey] },
        gl: panel.traces.some((t) => data[t].type === "scattergl"),
        lines: of(layout.shapes, "boundaries").map((s) => [s.x0, s.y0, s.x1, s.y1]),
        arrows: of(layout.shapes, "pull").map((s) => ({ path: s.path, colour: s.line.color })),
      };
      for (const key of ["indices", "tiles", "predictions", "confidences"]) made[key] = unpack(panel[key]);
      made.at = new Map(Array.from(made.indices, (index, i) => [index, i]));
      if (panel.sprite) (window.requestIdleCallback || setTimeout)(() => (new Image().src = panel.sprite.url));
      return [made];
    });
    if (this.sent?.source !== sent.source) this.selection = kept.data === sent.source ? read(kept.letters) : {};
    this.sent = sent;
    const { head, foot, gap } = sent.pads;
    this.look = { ink: sent.ink, colours: sent.colours, shown: this.shown, head, foot, gap };
    const [from, ...others] = new Map(this.panels.map((p) => [p.row, p.name]));
    this.choice.replaceChildren(...others.map(([row, name]) => new Option(name, row)));
    this.choice.hidden = others.length < 2;
    const [start, end] = this.side.querySelectorAll(".pzc-ends b");
    [start.textContent, end.textContent] = [from[1], others.length === 1 ? others[0][1] : ""];
    this.side.querySelector(".pzc-morph").hidden = !others.length;
    this.side.querySelector(".pzc-morph p").textContent =
      `Moves each dot of ${from[1]} (${this.panels.filter((p) => p.row === from[0]).map((p) => p.place).join(" and ")}) ` +
      "to where the same image lies in the other network. Positions in between are interpolated, not measured.";
    this.slider.value = this.t = 0;
    this.spot = null;
  }

  /** Give each panel its place. @type {() => Object<string, any>} of a Plotly layout, keys with dots */
  place() {
    const { sent: { panels, splits, pads }, root, plot, data } = this;
    const grid = arrange({
      rows: panels.length / splits, splits, layout: data.layout, pads,
      width: root.clientWidth, height: window.innerHeight - data.head,
    });
    const layout = { width: grid.width, height: grid.height, margin: { l: pads.left, r: pads.right, t: 0, b: 0 } };
    for (const { axis, number } of this.panels)
      for (const [letter, domain] of Object.entries(domains(grid, pads, number))) layout[`${letter}axis${axis}.domain`] = domain;
    this.width = root.clientWidth;
    root.classList.toggle("pzc-beside", grid.beside);
    Object.assign(plot.style, { width: `${grid.width}px`, height: `${grid.height}px` });
    return layout;
  }

  async draw() {
    const { data, layout } = this.sent.figure;
    for (const [key, value] of Object.entries(this.place())) {
      const [axis, domain] = key.split(".");
      (domain ? layout[axis] : layout)[domain || key] = value;
    }
    Object.assign(layout, { hovermode: false, dragmode: "pan" });
    const plotted = data.filter(({ type, uid }) => type !== "scattergl" || uid.startsWith("points")); // nodes can be hidden
    await this.Plotly.react(this.gd, plotted, layout, this.config);
    this.heard ??= ["plotly_afterplot", "plotly_relayout", "plotly_relayouting"].map((name) => this.gd.on(name, () => this.redraw()));
    this.watch.observe(this.root);
    this.redraw();
  }

  async resized(laid = false) {
    if (!this.gd._fullLayout || (this.root.clientWidth === this.width && !laid)) return;
    await this.Plotly.relayout(this.gd, this.place());
    this.trayed();
  }

  /** Plotly draws every mark, and what is not wanted is hidden: to draw anew takes a tenth of a second. */
  showMarks() {
    const { gd, shown } = this;
    this.look = { ...this.look, shown };
    for (const image of gd.layout.images) {
      const panel = this.panels.find((p) => image.xref === `x${p.axis}`);
      image.visible = panel.picture.visible = shown.shading || Boolean(panel.unshaded);
      image.source = panel.picture.image.src = (shown.shading ? panel.shaded : panel.unshaded) || panel.shaded;
      const drawn = this.gd.querySelector(`.subplot.x${panel.axis}y${panel.axis} .imagelayer image`);
      drawn?.setAttribute("href", image.source);
      if (drawn) drawn.style.display = image.visible ? "" : "none";
    }
    this.hide();
    this.morph(this.t);
  }

  /** Hide the nodes of marks that are not wanted; Plotly makes new ones whenever the axes change. */
  hide() {
    const { gd, shown } = this;
    for (const item of this.side.querySelectorAll("[data-mark]")) item.hidden = !shown[item.dataset.mark];
    const set = (node, on) => (node.style.display = on ? "" : "none");
    for (const node of gd.querySelectorAll(".scatterlayer > .trace")) {
      const [, kind] = /\btrace(\w+)-\d/.exec(node.getAttribute("class")) || [];
      if (kind in shown) set(node, shown[kind]);
      else if (kind === "wrong" || kind === "alike") set(node, shown.errors === (kind === "wrong"));
    }
    for (const node of gd.querySelectorAll(".shapelayer [data-index]")) {
      const { name } = gd.layout.shapes[node.dataset.index] || {};
      if (name) set(node, shown[name]);
    }
  }

  /** The figure as it is shown, for a file. */
  figure() {
    const { gd: { layout }, sent: { figure: { data } }, shown } = this;
    const wanted = ({ meta, uid }) => (meta ? shown[meta] : !uid.startsWith(shown.errors ? "alike" : "wrong"));
    const [shapes, images] = [layout.shapes.filter((s) => !s.name || shown[s.name]), layout.images.filter((i) => i.visible)];
    return { data: data.filter(wanted), layout: { ...layout, shapes, images } };
  }

  /** Switches of the page's own, which Streamlit leaves to the browser: it says so by one attribute alone. */
  toggled(changes) {
    const before = JSON.stringify(this.shown);
    for (const { target } of changes) {
      const name = /st-key-(\w+)/.exec(target.closest("[class*=st-key-]")?.className)?.[1];
      const box = target.querySelector?.("input[type=checkbox]");
      if (box && name in this.shown) this.shown[name] = box.checked;
    }
    if (this.gd._fullLayout && JSON.stringify(this.shown) !== before) this.showMarks();
  }

  /** Read off where the panels are, and draw all that lies over them. */
  redraw() {
    const { _fullLayout: full } = this.gd;
    const ratio = window.devicePixelRatio || 1;
    this.hide();
    for (const canvas of [this.still, this.live]) {
      Object.assign(canvas, { width: full.width * ratio, height: full.height * ratio });
      Object.assign(canvas.style, { width: `${full.width}px`, height: `${full.height}px` });
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    for (const panel of this.panels) {
      const [x, y] = [full[`xaxis${panel.axis}`], full[`yaxis${panel.axis}`]];
      panel.home = { x0: x._offset, y0: y._offset, side: x._length, range: [...x.range, ...y.range].map(Number) };
    }
    this.morph(this.t);
  }

  /** @type {(canvas: HTMLCanvasElement) => CanvasRenderingContext2D} emptied */
  clear(canvas) {
    const ctx = canvas.getContext("2d");
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    return ctx;
  }

  /** Move the panels of the first run a part of the way to those of another. @type {(t: number) => void} */
  morph(t) {
    if (!this.gd._fullLayout) return;
    this.slider.value = this.root.dataset.morph = this.t = t;
    this.play.textContent = t > 0.5 ? "◀" : "▶";
    const ctx = this.clear(this.still);
    for (const panel of this.panels) {
      const to = t > 0 && panel.row === 0 && this.panels.find((p) => p.row === Number(this.choice.value) && p.source === panel.source);
      [panel.now, panel.frame] = [panel, panel.home];
      if (to) {
        if (panel.way?.to !== to) {
          const match = Array.from(panel.indices, (index) => to.at.get(index) ?? -1);
          panel.way = { to, match, x: match.map((m) => to.x[m] ?? 0), y: match.map((m) => to.y[m] ?? 0) };
        }
        panel.now = { x: between(panel.x, panel.way.x, t), y: between(panel.y, panel.way.y, t) };
        panel.frame = { ...panel.home, range: between(panel.home.range, to.home.range, t) };
        const state = t === 1 ? `where ${to.name} puts them` : `interpolated, ${Math.round(100 * t)}\u202f% of the way`;
        drawMorph(ctx, panel, to, t, panel.way.match, this.look, [`${panel.name} → ${to.name} · ${panel.place}`, state]);
      } else if (panel.gl) drawMarked(ctx, panel, this.look); // what WebGL cannot hide, or would hide
      const picked = this.selection[panel.source];
      if (picked?.size) drawSelection(ctx, panel, this.look, (i) => picked.has(panel.indices[i]));
    }
    if (this.spot) this.point(this.spot);
  }

  playMorph() {
    const [from, goal, start] = [this.t, this.t > 0.5 ? 0 : 1, performance.now()];
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return this.morph(goal);
    const step = (now) => {
      const share = Math.min(Math.max((now - start) / MORPH_MS, 0), 1);
      this.morph(share === 1 ? goal : from + (goal - from) * share * share * (3 - 2 * share));
      if (share < 1 && !this.gone.signal.aborted) this.step = requestAnimationFrame(step);
    };
    cancelAnimationFrame(this.step);
    this.step = requestAnimationFrame(step);
  }

  /** All panels that have an example, in the order of the runs. @type {(spot: Spot) => Spot[]} */
  spots({ panel: { source, indices }, i }) {
    const index = indices[i];
    return this.panels.filter((p) => p.source === source && p.at.has(index)).map((p) => ({ panel: p, i: p.at.get(index) }));
  }

  /** The first panel that has an example, by "source:index". @type {(example?: string) => ?Spot} */
  spotOf(example) {
    const [source, index] = example?.split(":") || [];
    const panel = this.panels.find((p) => p.source === source && p.at.has(Number(index)));
    return panel ? { panel, i: panel.at.get(Number(index)) } : null;
  }

  /** Where an example is on the canvas now. @type {(spot: Spot) => Pixel} */
  pixel({ panel: { frame, now }, i }) {
    return toPixels(frame, now.x[i], now.y[i]);
  }

  /** Mark one example in all its panels and say what it is; null marks none. @type {(spot: ?Spot) => void} */
  point(spot) {
    this.spot = spot;
    this.tip.hidden = !spot;
    this.root.dataset.example = spot ? `${spot.panel.source}:${spot.panel.indices[spot.i]}` : "";
    const ctx = this.clear(this.live);
    if (!spot) return;
    const spots = this.spots(spot);
    const seen = spots.filter((s) => holds(s.panel.frame, ...this.pixel(s)));
    drawLinked(ctx, seen.map((s) => this.pixel(s)), this.look.colours[spot.panel.labels[spot.i]], this.look);
    this.tip.replaceChildren(...this.described(spots));
    const [x, y] = this.pixel(spot);
    const [w, h] = [this.tip.offsetWidth, this.tip.offsetHeight];
    this.tip.style.left = `${Math.max(0, x + 16 + w > this.plot.clientWidth ? x - w - 14 : x + 16)}px`;
    this.tip.style.top = `${Math.max(0, Math.min(y + 12, this.plot.clientHeight - h))}px`;
  }

  /** The image of an example, hidden where there is none. @type {(spots: Spot[], size: number) => HTMLElement} */
  tile(spots, size) {
    const { panel: { sprite, tiles }, i } = spots.find((s) => s.panel.sprite) || spots[0];
    const tile = element("i", "pzc-tile");
    if ((tile.hidden = !sprite || tiles[i] >= sprite.count)) return tile;
    tile.style.width = tile.style.height = `${size}px`;
    const [row, column] = [Math.floor(tiles[i] / sprite.columns), tiles[i] % sprite.columns];
    tile.style.background = `url("${sprite.url}") ${-column * size}px ${-row * size}px / ${sprite.columns * size}px auto`;
    return tile;
  }

  /** One example in words: its label, and each run's prediction and confidence. @type {(spots: Spot[]) => Object} */
  words(spots) {
    const { panel, i } = spots[0];
    const said = ({ panel: { predictions, confidences }, i: j }) =>
      this.sent.names[predictions[j]] + (confidences[j] < 0 ? "" : `, ${percent(confidences[j])}`);
    return {
      label: this.sent.names[panel.class_indices[panel.labels[i]]],
      where: `${panel.place} ${panel.indices[i]}`,
      runs: spots.map((s) => ({ run: s.panel.short, said: said(s), right: s.panel.kinds[s.i] === 0 })),
    };
  }

  /** The same as nodes, with the image. @type {(spots: Spot[]) => HTMLElement[]} */
  described(spots) {
    const { label, where, runs } = this.words(spots);
    const k = spots[0].panel.labels[spots[0].i];
    const sign = Object.assign(element("span", "", this.sent.signs[k]), { style: `color: ${this.look.colours[k]}` });
    const lines = runs.map((r) => element("div", r.right ? "" : "pzc-wrong", element("small", "", `${r.run}: `), element("span", "", r.said)));
    const head = element("div", "", sign, " ", element("b", "", label), element("small", "", ` ${where}`));
    return [this.tile(spots, 60), element("div", "pzc-words", head, ...lines)];
  }

  /** @type {(event: PointerEvent) => Pixel} */
  under(event) {
    const { left, top } = this.plot.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** The example that a pixel means. @type {(pixel: Pixel, reach?: number) => ?Spot} */
  found(pixel, reach = REACH) {
    const panel = this.panels?.find((p) => p.frame && holds(p.frame, ...pixel));
    const i = panel ? nearest(panel.frame, panel.now.x, panel.now.y, pixel, reach) : -1;
    return i < 0 ? null : { panel, i };
  }

  grab(event) {
    if (event.button) return;
    [this.pressed, this.far] = [this.under(event), false];
    if (!this.lassoing) return;
    this.polygon = [this.pressed];
    this.live.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  move(event) {
    const at = this.under(event);
    this.far ||= this.pressed && Math.hypot(at[0] - this.pressed[0], at[1] - this.pressed[1]) > 4;
    if (this.polygon) {
      this.polygon.push(at);
      return drawLasso(this.clear(this.live), this.polygon, this.look);
    }
    const found = event.buttons ? null : this.found(at);
    if (found?.panel !== this.spot?.panel || found?.i !== this.spot?.i) this.point(found);
  }

  drop(event) {
    const { pressed, polygon } = this;
    this.pressed = this.polygon = null;
    if (!pressed) return;
    if (polygon) this.point(null);
    const found = this.found(pressed);
    const panel = this.panels.find((p) => holds(p.frame, ...pressed));
    if (!this.far && found) this.choose(panel.source, [panel.indices[found.i]], event.shiftKey);
    if (!this.far || !polygon || !panel) return;
    const inside = (_, i) => encloses(polygon, this.pixel({ panel, i }));
    this.choose(panel.source, Array.from(panel.indices).filter(inside), event.shiftKey);
  }

  /** Select examples; `add` keeps those that were selected. A single one that was selected is no longer. */
  choose(source, indices, add) {
    const before = add ? this.selection : {};
    const chosen = new Set([...(before[source] ?? []), ...indices]);
    if (indices.length === 1 && this.selection[source]?.has(indices[0])) chosen.delete(indices[0]);
    this.select({ ...before, [source]: chosen });
  }

  select(selection) {
    this.selection = selection;
    const letters = written(selection);
    Object.assign(kept, { letters, data: this.sent.source });
    const address = new URL(window.location.href);
    if (letters && letters.length <= MOST_LINK) address.searchParams.set("selected", letters);
    else address.searchParams.delete("selected");
    window.history.replaceState(window.history.state, "", address);
    this.data.selected = address.searchParams.get("selected") || "";
    this.morph(this.t);
    this.trayed();
  }

  key(event) {
    if (!this.gd._fullLayout || event.ctrlKey || event.metaKey || event.altKey) return;
    const { panel, i } = this.spot || {};
    const turn = { PageDown: 1, PageUp: -1 }[event.key];
    let next = null;
    if (event.key in DIRECTIONS && panel) {
      const found = neighbour(panel.frame, panel.now.x, panel.now.y, i, DIRECTIONS[event.key]);
      next = { panel, i: found < 0 ? i : found };
    } else if (event.key in DIRECTIONS) {
      const { x0, y0, side } = this.panels[0].frame;
      next = this.found([x0 + side / 2, y0 + side / 2], side);
    } else if (turn && panel) {
      const other = this.panels.at((this.panels.indexOf(panel) + turn) % this.panels.length);
      const same = other.source === panel.source ? other.at.get(panel.indices[i]) : undefined;
      const [x, y] = this.pixel(this.spot);
      const there = [x + other.frame.x0 - panel.frame.x0, y + other.frame.y0 - panel.frame.y0];
      next = same === undefined ? this.found(there, other.frame.side) : { panel: other, i: same };
    } else if ((event.key === "Enter" || event.key === " ") && panel) this.choose(panel.source, [panel.indices[i]], true);
    else if (event.key === "Escape" && panel) this.point(null);
    else if (event.key === "Escape") this.select({});
    else return;
    event.preventDefault();
    if (!next) return;
    this.point(next);
    const { label, where, runs } = this.words(this.spots(next));
    const predicted = runs.map((r) => `${r.run}: predicted ${r.said}`).join("; ");
    this.said.textContent = `${where}, label ${label}. ${predicted}. Panel of ${next.panel.name}, ${next.panel.place}.`;
  }

  /** Selected examples that are drawn, as "source:index". @type {() => string[]} */
  chosen() {
    const drawn = (source, index) => this.panels.some((p) => p.source === source && p.at.has(index));
    return Object.entries(this.selection).flatMap(([source, indices]) =>
      [...indices].filter((index) => drawn(source, index)).map((index) => `${source}:${index}`));
  }

  trayed() {
    const [chosen, sets] = [this.chosen(), Object.entries(this.selection).filter(([, set]) => set.size)];
    const all = sets.reduce((n, [, set]) => n + set.size, 0);
    const number = (n) => n.toLocaleString("en");
    const parts = sets.map(([source, set]) => `${number(set.size)} ${this.panels.find((p) => p.source === source)?.place ?? source}`);
    const absent = all > chosen.length ? `; ${number(all - chosen.length)} not drawn here` : "";
    const first = chosen.length > MOST_TILES ? `; the first ${MOST_TILES} below` : "";
    const said = `${parts.join(" and ")} ${all === 1 ? "image" : "images"} selected${absent}${first}`;
    this.tray.hidden = !all;
    this.tray.querySelector("b").textContent = said;
    this.said.textContent = all ? said : "";
    this.tray.querySelector(".pzc-tiles").replaceChildren(...chosen.slice(0, MOST_TILES).map((example) => {
      const figure = element("figure", "", ...this.described(this.spots(this.spotOf(example))));
      figure.dataset.example = example;
      return figure;
    }));
    const left = this.plot.offsetHeight - this.side.offsetHeight - 12;
    this.tray.style.maxHeight = this.root.classList.contains("pzc-beside") ? `${Math.max(left, 170)}px` : "";
  }

  /** The drawn part of the selection as a table. */
  table() {
    const runs = [...new Set(this.panels.map((p) => p.run))];
    const head = ["split", "index", "label", ...runs.flatMap((run) => [`prediction of ${run}`, `confidence of ${run}`])];
    const sure = (p) => (p < 0 ? "" : Number(p.toFixed(6)));
    const cell = (s) => (s ? [this.sent.names[s.panel.predictions[s.i]], sure(s.panel.confidences[s.i])] : ["", ""]);
    return csv([head, ...this.chosen().map((example) => {
      const spots = this.spots(this.spotOf(example));
      const [{ panel, i }] = spots;
      const label = this.sent.names[panel.class_indices[panel.labels[i]]];
      return [panel.split, panel.indices[i], label, ...runs.flatMap((run) => cell(spots.find((s) => s.panel.run === run)))];
    })]);
  }

  /** What a button of the component does. @type {(button: ?HTMLElement) => Promise<void>} */
  async press(button) {
    const act = button?.dataset.do;
    if (act === "lasso") {
      this.lassoing = this.plot.classList.toggle("pzc-lassoing");
      button.setAttribute("aria-pressed", String(this.lassoing));
    } else if (act === "reset") {
      const axes = this.panels.flatMap(({ axis, limits: [a, b, c, d] }) => [[`xaxis${axis}.range`, [a, b]], [`yaxis${axis}.range`, [c, d]]]);
      await this.Plotly.relayout(this.gd, Object.fromEntries(axes));
    } else if (act === "save") await this.Plotly.downloadImage(this.figure(), { format: "svg", filename: "penviz" });
    else if (act === "play") this.playMorph();
    else if (act === "clear") this.select({});
    else if (act === "csv") {
      const href = URL.createObjectURL(new Blob([this.table()], { type: "text/csv" }));
      Object.assign(element("a"), { href, download: "penviz-selection.csv" }).click();
      URL.revokeObjectURL(href);
    } else if (act === "link") {
      const short = this.data.selected !== "";
      if (short) await navigator.clipboard.writeText(window.location.href);
      this.said.textContent = button.textContent = short ? "Copied" : "Too many for a link";
      setTimeout(() => (button.textContent = "Copy link"), 2000);
    }
  }
}
