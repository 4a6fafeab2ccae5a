/**
 * The linked panels on the page: Plotly's figure, what lies over it, and what the reader does with them.
 *
 * An example is the same in all panels of its split. Nothing here sends the server a message.
 */
import { arrange, between, csv, domains, encloses, holds, nearest, neighbour, read, toPixels, unpack, written } from "./geometry.js";
import { drawLasso, drawLinked, drawMorph, drawPoints, drawSelection } from "./overlay.js";

/** @typedef {import("./overlay.js").Panel} Panel */
/** @typedef {{panel: Panel, i: number}} Spot  an example in one of its panels */

const MOST_TILES = 60;
const MOST_LINK = 1800; // letters of a selection in an address
const MORPH_MS = 1600;
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const MARKUP = `
<div class="pzc-figure">
  <div class="pzc-plot" tabindex="0" role="application">
    <div class="pzc-plotly"></div><canvas></canvas><canvas></canvas><div class="pzc-tip" hidden></div>
  </div>
  <div class="pzc-side">
    <div class="pzc-legend"></div>
    <div class="pzc-tools">
      <button data-do="lasso" aria-pressed="false">Lasso</button><button data-do="reset">Reset axes</button><button data-do="save">Save SVG</button>
    </div>
    <div class="pzc-morph" hidden>
      <div class="pzc-ends"><b class="pzc-from"></b><select aria-label="Morph into" hidden></select><b class="pzc-to"></b></div>
      <div class="pzc-way"><button data-do="play" aria-label="Play the morph">▶</button><input type="range" min="0" max="1" step="any" value="0" aria-label="Morph"></div>
      <p></p>
    </div>
    <p class="pzc-hint"></p>
  </div>
</div>
<div class="pzc-tray" hidden>
  <div class="pzc-bar"><b></b><span><button data-do="csv">Indices as CSV</button><button data-do="link">Copy link</button><button data-do="clear">Clear</button></span></div>
  <div class="pzc-tiles"></div>
</div>
<div class="pzc-said" role="status" aria-live="polite"></div>`;

/** @type {Object<string, Promise<any>>} */
const loading = {};
/** @type {WeakMap<Element, LinkedPanels>} */
const instances = new WeakMap();

/** Plotly.js, once a page. */
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

/**
 * Streamlit calls this when the component appears and whenever what it is given changes.
 * @param {{data: Object, parentElement: HTMLElement}} component
 * @returns {() => void} to be called when it is gone; a later call makes it void
 */
export function mount({ data, parentElement }) {
  if (!instances.has(parentElement)) instances.set(parentElement, new LinkedPanels(parentElement));
  const own = instances.get(parentElement);
  const call = own.update(data);
  return () => {
    if (own.calls !== call) return;
    instances.delete(parentElement);
    own.remove();
  };
}

/** A percentage that is never rounded to all or nothing. */
function percent(p) {
  return p > 0.9995 ? "> 99.9 %" : `${(100 * p).toFixed(p >= 0.995 ? 1 : 0)} %`;
}

function element(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

class LinkedPanels {
  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.calls = 0;
    this.selection = {};
    this.given = null; // the selection that the address last held
    this.t = 0;
    /** @type {?Spot} */
    this.spot = null;
    this.root = parent.appendChild(element("div", "pzc"));
    this.root.innerHTML = MARKUP;
    this.root.linked = this; // for a console, and for tests
    const one = (query) => this.root.querySelector(query);
    [this.plot, this.gd, this.tip, this.side, this.tray] = [".pzc-plot", ".pzc-plotly", ".pzc-tip", ".pzc-side", ".pzc-tray"].map(one);
    [this.still, this.live] = [...this.root.querySelectorAll("canvas")];
    [this.slider, this.choice, this.said] = ["input", "select", ".pzc-said"].map(one);
    this.gone = new AbortController();
    const on = (target, type, act, options = {}) => target.addEventListener(type, act, { signal: this.gone.signal, ...options });
    on(this.root, "click", (event) => this.press(event.target.closest("[data-do]")));
    on(this.plot, "pointerdown", (event) => this.grab(event));
    on(this.plot, "pointermove", (event) => this.move(event));
    on(this.plot, "pointerup", (event) => this.drop(event));
    on(this.plot, "pointerleave", () => this.point(null));
    on(this.plot, "keydown", (event) => this.key(event));
    on(this.plot, "blur", () => this.point(null));
    on(this.slider, "input", () => this.morph(Number(this.slider.value)));
    on(this.choice, "change", () => this.morph(this.t));
    on(this.tray, "pointerover", (event) => this.point(this.spotOf(event.target.closest("figure")?.dataset.example)));
    on(this.tray, "pointerout", () => this.point(null));
    this.watch = new ResizeObserver(() => this.resized());
    this.switches = new MutationObserver((changes) => this.toggled(changes));
    this.switches.observe(document.body, { subtree: true, attributeFilter: ["data-selected"] });
  }

  /** Take what the server gives; draw anew only what differs. */
  update(data) {
    this.calls += 1;
    if (data.selected !== this.given) {
      if (data.selected !== written(this.selection)) this.selection = read(data.selected);
      this.given = data.selected;
    }
    const [newMarks, newData] = [data.marks !== this.data?.marks, data.payload !== this.data?.payload];
    const moved = data.layout !== this.data?.layout;
    this.data = data;
    this.config = JSON.parse(data.config);
    if (newMarks) this.shown = JSON.parse(data.marks);
    this.plot.setAttribute("aria-label", data.alt);
    this.side.querySelector(".pzc-legend").innerHTML = data.legend; // as penviz/view/legend.py wrote it
    this.root.querySelector(".pzc-hint").textContent = data.hint;
    if (newData) this.take(JSON.parse(data.payload));
    this.legend();
    this.ready = loadPlotly(data.plotly).then(async (Plotly) => {
      if (this.gone.signal.aborted || !this.root.isConnected) return;
      this.Plotly = Plotly;
      if (newData || !this.gd._fullLayout) await this.draw();
      else if (moved) await this.resized();
      if (newMarks || newData) this.showMarks();
    });
    this.ready.catch((error) => this.gd.replaceChildren(element("p", "pzc-hint", `The figure cannot be drawn: ${error.message}`)));
    return this.calls;
  }

  remove() {
    this.gone.abort();
    this.watch.disconnect();
    this.switches.disconnect();
    if (this.Plotly) this.Plotly.purge(this.gd);
    this.root.remove();
  }

  // ---------------------------------------------------------------- what was sent

  /** @param {Object} sent  as penviz/app/component/payload.py writes it */
  take(sent) {
    this.sent = sent;
    const { data, layout } = sent.figure;
    const groups = sent.panels.flatMap((panel) => panel?.groups ?? []);
    sent.figure.data = data.flatMap((trace, t) => {
      const [k, kind] = groups[t] ?? [];
      trace.uid = `${trace.meta || (kind ? "wrong" : "points")}-${t}`; // part of a class
      if (!kind) return [trace];
      trace.wrong = trace.marker;
      trace.right = { color: sent.colours[k], symbol: sent.shapes[k], size: 5.5, opacity: 0.75 };
      return trace.type === "scatter" ? [trace, { ...trace, marker: trace.right, uid: `alike-${t}`, twin: true }] : [trace];
    });
    /** @type {Panel[]} */
    this.panels = sent.panels.map((panel, number) => {
      if (!panel) return null;
      const join = (key) => panel.traces.flatMap((t) => Array.from(unpack(data[t][key])));
      const of = (list) => list.filter((item) => item.xref === `x${panel.axis}`);
      const marks = {};
      for (const trace of data) if (trace.meta && trace.xaxis === `x${panel.axis}`) marks[trace.meta] = { x: unpack(trace.x), y: unpack(trace.y) };
      const [shading] = of(layout.images);
      const image = new Image();
      if (shading) image.src = shading.source;
      const made = {
        ...panel, number, marks, x: join("x"), y: join("y"),
        kinds: panel.groups.flatMap(([, kind, count]) => Array(count).fill(kind)),
        labels: panel.groups.flatMap(([k, , count]) => Array(count).fill(k)),
        indices: unpack(panel.indices), tiles: unpack(panel.tiles),
        predictions: unpack(panel.predictions), confidences: unpack(panel.confidences),
        shaded: shading?.source, unshaded: sent.unshaded[`x${panel.axis}`],
        picture: shading && { image, visible: true, place: [shading.x, shading.y, shading.sizex, shading.sizey] },
        lines: of(layout.shapes).filter((s) => s.name === "boundaries").map((s) => [s.x0, s.y0, s.x1, s.y1]),
        arrows: of(layout.shapes).filter((s) => s.name === "pull").map((s) => ({ path: s.path, colour: s.line.color })),
      };
      made.now = { x: made.x, y: made.y };
      made.at = new Map(Array.from(made.indices, (index, i) => [index, i]));
      return made;
    });
    const rows = [...new Map(this.panels.filter(Boolean).map((p) => [p.row, p.targets === "unknown targets" ? p.run : p.targets]))];
    const others = rows.slice(1);
    this.side.querySelector(".pzc-morph").hidden = !others.length;
    this.choice.replaceChildren(...others.map(([row, name]) => new Option(name, row)));
    this.choice.hidden = others.length < 2;
    this.side.querySelector(".pzc-from").textContent = rows[0][1];
    this.side.querySelector(".pzc-to").textContent = others.length === 1 ? others[0][1] : "";
    this.slider.value = this.t = 0;
    this.spot = null;
    this.look = { ink: sent.ink, colours: sent.colours, shown: this.shown };
    for (const panel of this.panels) if (panel?.sprite) (window.requestIdleCallback || setTimeout)(() => (new Image().src = panel.sprite.url));
  }

  get pixels() {
    return this.plot.getBoundingClientRect();
  }

  // ---------------------------------------------------------------- the figure

  place() {
    const { sent, root } = this;
    const page = {
      rows: sent.panels.length / sent.splits, splits: sent.splits, layout: this.data.layout, pads: sent.pads,
      width: root.clientWidth, height: window.innerHeight - this.data.head,
    };
    const grid = arrange(page);
    const layout = { width: grid.width, height: grid.height, margin: { l: sent.pads.left, r: sent.pads.right, t: 0, b: 0 } };
    for (const panel of this.panels) {
      if (!panel) continue;
      const { x, y } = domains(grid, sent.pads, panel.number);
      layout[`xaxis${panel.axis}.domain`] = x;
      layout[`yaxis${panel.axis}.domain`] = y;
    }
    root.classList.toggle("pzc-beside", grid.beside && grid.width + sent.pads.beside <= root.clientWidth + 8);
    this.plot.style.width = `${grid.width}px`;
    this.plot.style.height = `${grid.height}px`;
    return layout;
  }

  async draw() {
    const { data, layout } = this.sent.figure;
    this.width = this.root.clientWidth;
    for (const [key, value] of Object.entries(this.place())) {
      const [axis, domain] = key.split(".");
      if (domain) layout[axis][domain] = value;
      else layout[key] = value;
    }
    Object.assign(layout, { hovermode: false, dragmode: "pan", showlegend: false });
    await this.Plotly.react(this.gd, data, layout, this.config);
    const events = ["plotly_afterplot", "plotly_relayout", "plotly_relayouting"];
    for (const name of this.heard ? [] : events) this.gd.on(name, () => this.redraw());
    this.heard = true;
    this.watch.observe(this.root);
    this.redraw();
    this.trayed();
  }

  async resized() {
    if (!this.gd._fullLayout || (this.root.clientWidth === this.width && this.data.layout === this.drawnLayout)) return;
    this.width = this.root.clientWidth;
    this.drawnLayout = this.data.layout;
    await this.Plotly.relayout(this.gd, this.place());
    this.redraw();
  }

  /**
   * Plotly draws every mark, and what is not wanted is hidden: to draw anew takes a tenth of a second.
   * Only in WebGL, which has no nodes to hide, errors that are to look like the others are drawn anew.
   */
  showMarks() {
    const { gd, shown } = this;
    this.look = { ...this.look, shown };
    for (const image of gd.layout.images) {
      const panel = this.panels.find((p) => p && image.xref === `x${p.axis}`);
      image.source = (shown.shading ? panel.shaded : panel.unshaded) || image.source;
      image.visible = shown.shading || Boolean(panel.unshaded);
      const drawn = gd.querySelector(`.subplot.x${panel.axis}y${panel.axis} .imagelayer image`);
      drawn?.setAttribute("href", image.source);
      if (drawn) drawn.style.display = image.visible ? "" : "none";
      panel.picture.image.src = image.source;
      panel.picture.visible = image.visible;
    }
    const gl = gd.data.flatMap((trace, t) => (trace.type === "scattergl" && trace.wrong ? [t] : []));
    if (gl.length && gd.data[gl[0]].marker !== gd.data[gl[0]][shown.errors ? "wrong" : "right"]) {
      for (const t of gl) gd.data[t].marker = gd.data[t][shown.errors ? "wrong" : "right"];
      this.Plotly.react(gd, gd.data, gd.layout, this.config);
    }
    this.legend();
    this.hide();
    this.morph(this.t);
  }

  /** Hide the nodes of marks that are not wanted; Plotly makes new ones whenever the axes change. */
  hide() {
    const { gd, shown } = this;
    const set = (node, on) => (node.style.display = on ? "" : "none");
    for (const node of gd.querySelectorAll(".scatterlayer > .trace")) {
      const [, kind] = /\btrace(\w+)-\d/.exec(node.getAttribute("class")) || [];
      if (kind in shown) set(node, shown[kind]);
      else if (kind === "wrong" || kind === "alike") set(node, shown.errors === (kind === "wrong"));
    }
    for (const node of gd.querySelectorAll(".shapelayer [data-index]")) {
      const name = gd.layout.shapes[node.dataset.index]?.name;
      if (name) set(node, shown[name]);
    }
  }

  /** The figure as it is shown, for a file. */
  figure() {
    const { data, layout } = this.gd;
    const { shown } = this;
    return {
      data: data.filter((trace) => (trace.meta ? shown[trace.meta] : trace.twin ? !shown.errors : trace.type === "scattergl" || !trace.wrong || shown.errors)),
      layout: { ...layout, shapes: layout.shapes.filter((s) => !s.name || shown[s.name]), images: layout.images.filter((i) => i.visible) },
    };
  }

  legend() {
    for (const item of this.side.querySelectorAll("[data-mark]")) item.hidden = !this.shown[item.dataset.mark];
  }

  /** Switches of the page's own, which Streamlit leaves to the browser: it says so by this attribute alone. */
  toggled(changes) {
    const before = JSON.stringify(this.shown);
    for (const { target } of changes) {
      const name = /st-key-(\w+)/.exec(target.closest("[class*=st-key-]")?.className)?.[1];
      const box = target.querySelector?.("input[type=checkbox]");
      if (box && name in this.shown) this.shown[name] = box.checked;
    }
    if (this.gd._fullLayout && JSON.stringify(this.shown) !== before) this.showMarks();
  }

  // ---------------------------------------------------------------- what lies over it

  /** Read off where the panels are, and draw all that lies over them. */
  redraw() {
    const { _fullLayout: full } = this.gd;
    const { width, height } = full;
    this.hide();
    for (const canvas of [this.still, this.live]) {
      const ratio = window.devicePixelRatio || 1;
      Object.assign(canvas, { width: width * ratio, height: height * ratio });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    for (const panel of this.panels) {
      if (!panel) continue;
      const [x, y] = [full[`xaxis${panel.axis}`], full[`yaxis${panel.axis}`]];
      panel.home = { x0: x._offset, y0: y._offset, side: x._length, range: [...x.range, ...y.range].map(Number) };
      panel.frame = panel.home;
    }
    this.morph(this.t);
  }

  clear(canvas) {
    const ctx = canvas.getContext("2d");
    ctx.globalAlpha = 1;
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    return ctx;
  }

  /** Move the panels of the first run a part of the way to those of another. */
  morph(t) {
    this.t = t;
    this.slider.value = t;
    const target = Number(this.choice.value);
    const ctx = this.clear(this.still);
    const moving = [];
    for (const panel of this.panels) {
      if (!panel?.home) continue;
      const to = t > 0 && panel.row === 0 && this.panels.find((p) => p && p.row === target && p.split === panel.split);
      for (const part of this.gd.querySelectorAll(`.subplot.x${panel.axis}y${panel.axis} :is(.xaxislayer-above, .yaxislayer-above)`)) part.style.opacity = to ? 0 : 1;
      const picked = this.selection[panel.split];
      const wanted = (i) => picked.has(panel.indices[i]);
      if (!to) {
        [panel.now, panel.frame] = [{ x: panel.x, y: panel.y }, panel.home];
        if (picked?.size) drawSelection(ctx, panel, this.look, wanted);
        continue;
      }
      if (panel.matchedTo !== to) [panel.matchedTo, panel.match] = [to, Array.from(panel.indices, (index) => to.at.get(index) ?? -1)];
      const there = (key) => panel.match.map((m, i) => to[key][m < 0 ? i : m] ?? 0);
      panel.there = panel.there?.to === to ? panel.there : { to, x: there("x"), y: there("y") };
      panel.now = { x: between(panel.x, panel.there.x, t), y: between(panel.y, panel.there.y, t) };
      panel.frame = { ...panel.home, range: between(panel.home.range, to.home.range, t) };
      const state = t === 1 ? `at the places of ${to.targets}` : `interpolated, ${Math.round(100 * t)} % of the way`;
      drawMorph(ctx, panel, to, t, panel.match, this.look, `${panel.targets} → ${to.targets} · ${panel.place}\n${state}`);
      if (picked?.size) drawSelection(ctx, panel, this.look, wanted);
      moving.push(panel.place);
    }
    for (const note of this.gd.querySelectorAll(".annotation")) {
      const { name, xref } = this.gd.layout.annotations[note.dataset.index] || {};
      if (name === "numbers") note.style.opacity = this.t && this.panels.some((p) => p?.row === 0 && xref === `x${p.axis} domain`) ? 0 : 1;
    }
    const splits = this.panels.filter((p) => p?.row === 0).map((p) => p.place).join(" and ");
    this.side.querySelector(".pzc-morph p").textContent = `Moves the panels of ${this.panels.find(Boolean).targets} (${splits}): each dot goes to where the same image lies after the other training. What is between is interpolated, not measured.`;
    this.root.dataset.morph = t;
    if (this.spot) this.point(this.spot);
  }

  play() {
    const goal = this.t > 0.5 ? 0 : 1;
    const from = this.t;
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return this.morph(goal);
    const start = performance.now();
    const step = (now) => {
      const share = Math.min((now - start) / MORPH_MS, 1);
      const eased = share * share * (3 - 2 * share);
      this.morph(share === 1 ? goal : from + (goal - from) * eased);
      if (share < 1 && !this.gone.signal.aborted) this.frame = requestAnimationFrame(step);
    };
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(step);
  }

  // ---------------------------------------------------------------- pointing and choosing

  /** All panels that have an example, in the order of the runs. */
  spots({ panel, i }) {
    const index = panel.indices[i];
    return this.panels.filter((p) => p?.split === panel.split && p.at.has(index)).map((p) => ({ panel: p, i: p.at.get(index) }));
  }

  /** @param {string|undefined} example  "train:17" */
  spotOf(example) {
    const [split, index] = example?.split(":") || [];
    const panel = this.panels.find((p) => p?.split === split && p.at.has(Number(index)));
    return panel ? { panel, i: panel.at.get(Number(index)) } : null;
  }

  /** Mark one example in all its panels and say what it is; null marks none. */
  point(spot) {
    this.spot = spot;
    const ctx = this.clear(this.live);
    this.tip.hidden = !spot;
    this.root.dataset.example = spot ? `${spot.panel.split}:${spot.panel.indices[spot.i]}` : "";
    if (!spot) return;
    const spots = this.spots(spot);
    const places = spots
      .map(({ panel, i }) => ({ panel, at: toPixels(panel.frame, panel.now.x[i], panel.now.y[i]), k: panel.labels[i] }))
      .filter(({ panel, at }) => holds(panel.frame, ...at))
      .map(({ at: [x, y], k }) => ({ x, y, colour: this.look.colours[k] }));
    drawLinked(ctx, places, this.look);
    this.tip.replaceChildren(...this.described(spots));
    const [x, y] = toPixels(spot.panel.frame, spot.panel.now.x[spot.i], spot.panel.now.y[spot.i]);
    const { width, height } = this.pixels;
    const [w, h] = [this.tip.offsetWidth, this.tip.offsetHeight];
    this.tip.style.left = `${Math.max(0, x + 16 + w > width ? x - w - 14 : x + 16)}px`;
    this.tip.style.top = `${Math.max(0, Math.min(y + 12, height - h))}px`;
  }

  tile(spots, size) {
    const { panel, i } = spots.find((s) => s.panel.sprite) || spots[0];
    const tile = element("i", "pzc-tile");
    const sprite = panel.sprite;
    tile.style.width = tile.style.height = `${size}px`;
    if (sprite && panel.tiles[i] < sprite.count) {
      const [row, column] = [Math.floor(panel.tiles[i] / sprite.columns), panel.tiles[i] % sprite.columns];
      tile.style.background = `url("${sprite.url}") ${-column * size}px ${-row * size}px / ${sprite.columns * size}px auto`;
    }
    return tile;
  }

  /** One example in words: label, and each run's prediction and confidence. */
  words(spots) {
    const { panel, i } = spots[0];
    return {
      label: this.sent.names[panel.class_indices[panel.labels[i]]],
      sign: this.sent.signs[panel.labels[i]], colour: this.look.colours[panel.labels[i]],
      where: `${panel.place} ${panel.indices[i]}`,
      runs: spots.map(({ panel: p, i: j }) => {
        const sure = p.confidences[j] < 0 ? "" : `, ${percent(p.confidences[j])}`;
        return { run: p.short, said: this.sent.names[p.predictions[j]] + sure, right: p.kinds[j] === 0 };
      }),
    };
  }

  described(spots) {
    const { label, sign, colour, where, runs } = this.words(spots);
    const text = element("div", "pzc-words");
    const head = element("div", "", " ");
    head.prepend(Object.assign(element("span", "", sign), { style: `color:${colour}` }));
    head.append(element("b", "", label), element("small", "", ` ${where}`));
    text.append(head);
    for (const { run, said, right } of runs) {
      const line = element("div", right ? "" : "pzc-wrong");
      line.append(element("small", "", `${run}: `), element("span", "", said));
      text.append(line);
    }
    return [this.tile(spots, 60), text];
  }

  say(spot) {
    const { label, where, runs } = this.words(this.spots(spot));
    this.said.textContent = `${where}, label ${label}. ${runs.map((r) => `${r.run}: predicted ${r.said}`).join("; ")}. Panel ${spot.panel.targets}, ${spot.panel.place}.`;
  }

  under(event) {
    const { left, top } = this.pixels;
    return [event.clientX - left, event.clientY - top];
  }

  found(px, py, reach = 9) {
    const panel = this.panels.find((p) => p?.frame && holds(p.frame, px, py));
    const i = panel ? nearest(panel.frame, panel.now.x, panel.now.y, px, py, reach) : -1;
    return i < 0 ? null : { panel, i };
  }

  grab(event) {
    if (event.button || !this.panels[0]?.frame) return;
    this.pressed = this.under(event);
    this.far = false;
    if (!this.lassoing) return;
    this.polygon = [this.pressed];
    this.live.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  move(event) {
    if (!this.gd._fullLayout) return;
    const at = this.under(event);
    this.far ||= this.pressed && Math.hypot(at[0] - this.pressed[0], at[1] - this.pressed[1]) > 4;
    if (this.polygon) {
      this.polygon.push(at);
      return drawLasso(this.clear(this.live), this.polygon, this.look);
    }
    const found = event.buttons ? null : this.found(...at);
    if (found?.panel !== this.spot?.panel || found?.i !== this.spot?.i) this.point(found);
  }

  drop(event) {
    const { pressed, polygon } = this;
    const at = this.under(event);
    this.pressed = this.polygon = null;
    if (!pressed) return;
    if (!this.far) {
      const found = this.found(...at);
      if (found) this.choose(found.panel.split, [found.panel.indices[found.i]], event.shiftKey);
    } else if (polygon) {
      const panel = this.panels.find((p) => p && holds(p.frame, ...pressed));
      if (panel) {
        const inside = (_, i) => encloses(polygon, ...toPixels(panel.frame, panel.now.x[i], panel.now.y[i]));
        this.choose(panel.split, Array.from(panel.indices).filter(inside), event.shiftKey);
      }
    }
    if (polygon) this.point(null);
  }

  /** Select some examples of a split; `add` keeps what was selected, and takes back a single one that was. */
  choose(split, indices, add) {
    const before = add ? this.selection : {};
    const chosen = new Set(before[split]);
    if (indices.length === 1 && chosen.has(indices[0])) chosen.delete(indices[0]);
    else for (const index of indices) chosen.add(index);
    this.selection = { ...before, [split]: chosen };
    this.selected();
  }

  selected() {
    const letters = written(this.selection);
    const address = new URL(window.location.href);
    if (letters && letters.length <= MOST_LINK) address.searchParams.set("selected", letters);
    else address.searchParams.delete("selected");
    window.history.replaceState(window.history.state, "", address);
    this.given = letters.length <= MOST_LINK ? letters : "";
    this.morph(this.t);
    this.trayed();
  }

  key(event) {
    if (!this.panels[0]?.frame || event.ctrlKey || event.metaKey || event.altKey) return;
    const { panel, i } = this.spot || {};
    let next = null;
    if (event.key in DIRECTIONS) {
      if (panel) {
        const found = neighbour(panel.frame, panel.now.x, panel.now.y, i, DIRECTIONS[event.key]);
        next = { panel, i: found < 0 ? i : found };
      } else {
        const first = this.panels.find(Boolean);
        const { x0, y0, side } = first.frame;
        next = this.found(x0 + side / 2, y0 + side / 2, side);
      }
    } else if ((event.key === "PageDown" || event.key === "PageUp") && panel) {
      const rest = this.panels.filter(Boolean);
      const other = rest.at((rest.indexOf(panel) + (event.key === "PageDown" ? 1 : rest.length - 1)) % rest.length);
      const [px, py] = toPixels(panel.frame, panel.now.x[i], panel.now.y[i]);
      const same = other.split === panel.split ? other.at.get(panel.indices[i]) : undefined;
      next = same === undefined ? this.found(px + other.frame.x0 - panel.frame.x0, py + other.frame.y0 - panel.frame.y0, other.frame.side) : { panel: other, i: same };
    } else if ((event.key === "Enter" || event.key === " ") && panel) this.choose(panel.split, [panel.indices[i]], true);
    else if (event.key === "Escape" && panel) this.point(null);
    else if (event.key === "Escape") this.press({ dataset: { do: "clear" } });
    else return;
    event.preventDefault();
    if (!next) return;
    this.point(next);
    this.say(next);
  }

  // ---------------------------------------------------------------- the selection

  /** Every selected example that is drawn, with all its panels. */
  chosen() {
    return Object.entries(this.selection).flatMap(([split, indices]) =>
      [...indices].map((index) => this.spotOf(`${split}:${index}`)).filter(Boolean).map((spot) => this.spots(spot)));
  }

  trayed() {
    const chosen = this.chosen();
    const all = Object.values(this.selection).reduce((n, indices) => n + indices.size, 0);
    this.tray.hidden = !all;
    const parts = Object.entries(this.selection).filter(([, s]) => s.size).map(([split, s]) => `${s.size.toLocaleString("en")} ${split}`);
    const first = chosen.length > MOST_TILES ? `; the first ${MOST_TILES}` : "";
    const absent = all > chosen.length ? `; ${(all - chosen.length).toLocaleString("en")} of them not drawn here` : "";
    this.tray.querySelector("b").textContent = `${parts.join(" and ")} ${all === 1 ? "example" : "examples"} selected${absent}${first}`;
    this.tray.querySelector(".pzc-tiles").replaceChildren(...chosen.slice(0, MOST_TILES).map((spots) => {
      const figure = element("figure", "");
      figure.dataset.example = `${spots[0].panel.split}:${spots[0].panel.indices[spots[0].i]}`;
      figure.append(...this.described(spots));
      return figure;
    }));
    this.said.textContent = all ? this.tray.querySelector("b").textContent : "";
  }

  table() {
    const runs = [...new Set(this.panels.filter(Boolean).map((p) => p.run))];
    const head = ["split", "index", "label", ...runs.flatMap((run) => [`prediction of ${run}`, `confidence of ${run}`])];
    return csv([head, ...this.chosen().map((spots) => {
      const { panel, i } = spots[0];
      const cells = runs.map((run) => spots.find((s) => s.panel.run === run)).flatMap((s) =>
        s ? [this.sent.names[s.panel.predictions[s.i]], s.panel.confidences[s.i] < 0 ? "" : Number(s.panel.confidences[s.i].toFixed(6))] : ["", ""]);
      return [panel.split, panel.indices[i], this.sent.names[panel.class_indices[panel.labels[i]]], ...cells];
    })]);
  }

  /** What a button of the component does. */
  async press(button) {
    const act = button?.dataset.do;
    if (act === "lasso") {
      this.lassoing = !this.lassoing;
      button.setAttribute("aria-pressed", String(this.lassoing));
      this.plot.classList.toggle("pzc-lassoing", this.lassoing);
    } else if (act === "reset") {
      const ranges = this.panels.filter(Boolean).flatMap(({ axis, limits: [a, b, c, d] }) => [[`xaxis${axis}.range`, [a, b]], [`yaxis${axis}.range`, [c, d]]]);
      await this.Plotly.relayout(this.gd, Object.fromEntries(ranges));
    } else if (act === "save") await this.Plotly.downloadImage(this.figure(), { format: "svg", filename: "penviz" });
    else if (act === "play") this.play();
    else if (act === "clear") {
      this.selection = {};
      this.selected();
    } else if (act === "csv") {
      const link = element("a", "");
      link.href = URL.createObjectURL(new Blob([this.table()], { type: "text/csv" }));
      link.download = "penviz-selection.csv";
      link.click();
      URL.revokeObjectURL(link.href);
    } else if (act === "link") {
      const short = written(this.selection).length <= MOST_LINK;
      if (short) await navigator.clipboard.writeText(window.location.href);
      this.said.textContent = button.textContent = short ? "Copied" : "Too many for a link: use CSV";
      setTimeout(() => (button.textContent = "Copy link"), 2000);
    }
  }
}
