"use strict";
// The page of a code graph: a zoomable treemap with the relations drawn over it. All text from the graph reaches the
// document through textContent or the canvas, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("graph-data").textContent);
  const N = data.nodes, E = data.edges, count = N.id.length, TYPES = data.nodeTypes, KINDS = data.edgeTypes;
  const $ = (id) => document.getElementById(id);
  const canvas = $("map"), ctx = canvas.getContext("2d");
  const CONTAINS = KINDS.indexOf("contains"), FILE = TYPES.indexOf("File"), TEXTFILE = TYPES.indexOf("Textfile");

  const NODE_COLORS = { // [fill, border, text, fill when opened]
    light: {
      Repo: ["#eef0f4", "#c8ced8", "#3a4352"], Module: ["#e9ecf2", "#c0c8d4", "#3a4352"], Package: ["#e7ebf1", "#bcc5d2", "#3a4352"],
      File: ["#e3edfb", "#9fb6da", "#22406e", "#f8fafe"], Textfile: ["#eceee6", "#b6bba4", "#55593f"],
      Class: ["#fbe3bd", "#e0a64a", "#6b4407", "#fef4e2"], Function: ["#d3ecea", "#5daaa4", "#0d4a46"], Method: ["#d3ecea", "#5daaa4", "#0d4a46"],
      Attribute: ["#e8e0f5", "#ab92d3", "#472e75"], Field: ["#e8e0f5", "#ab92d3", "#472e75"], Lambda: ["#fadbe4", "#d98ba2", "#7a2240"],
    },
    dark: {
      Repo: ["#171b22", "#333b48", "#b9c2cf"], Module: ["#1a1f28", "#374050", "#b9c2cf"], Package: ["#1b212b", "#394355", "#b9c2cf"],
      File: ["#1a2940", "#3f5a85", "#a9c4ee", "#131922"], Textfile: ["#23251d", "#50543f", "#b9bd9f"],
      Class: ["#45320f", "#99702a", "#f1cf92", "#271d0d"], Function: ["#12373a", "#2d807b", "#a4ded9"], Method: ["#12373a", "#2d807b", "#a4ded9"],
      Attribute: ["#2c2342", "#6a549a", "#cdbcf0"], Field: ["#2c2342", "#6a549a", "#cdbcf0"], Lambda: ["#3d1c28", "#97475f", "#f2b3c5"],
    },
  };
  const EDGE_COLORS = {
    light: { contains: "#8b95a3", imports: "#17924f", extends: "#cf4a1b", implements: "#d98b00", calls: "#2467c9", references: "#a8559a" },
    dark: { contains: "#727d8d", imports: "#5cc98c", extends: "#ff8a5c", implements: "#f2bd4b", calls: "#76acff", references: "#dd8fd0" },
  };
  const PHRASES = {
    imports: ["Imports", "Imported by"], extends: ["Extends", "Extended by"], implements: ["Implements", "Implemented by"],
    calls: ["Calls", "Called by"], references: ["References", "Referenced by"],
  };

  // ------------------------------------------------------------------ state
  let theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const shownTypes = TYPES.map(() => true), shownKinds = KINDS.map((kind) => kind !== "contains");
  let scale = 1, shiftX = 0, shiftY = 0, width = 1, height = 1; // screen = world * scale + shift
  let hovered = -1, selected = -1, relations = true, matched = new Set(), animation = 0, queued = false;
  const header = new Float32Array(count), depth = new Uint16Array(count), nameWidths = new Float32Array(count);
  const hasInner = (row) => N.stop[row] > row + 1;
  for (let row = count - 1; row > 0; row--) {
    const above = N.parent[row], gap = N.y[row] - N.y[above];
    if (!header[above] || gap < header[above]) header[above] = gap;
  }
  for (let row = 1; row < count; row++) depth[row] = depth[N.parent[row]] + 1;

  const typeName = (row) => TYPES[N.type[row]] || "Repo";
  const label = (row) => {
    const name = N.name[row] || (typeName(row) === "Lambda" ? "λ" : typeName(row)), above = row > 0 ? N.name[N.parent[row]] : "";
    return typeName(row) === "Package" && above && name.startsWith(above + ".") ? name.slice(above.length + 1) : name;
  };
  const colors = (row) => NODE_COLORS[theme][typeName(row)];
  // A container shows what is inside it once it is large enough for that to be told apart; small ones show their name.
  const opens = (row) => {
    if (!hasInner(row)) return false;
    const w = N.w[row] * scale, h = N.h[row] * scale, many = Math.min(N.stop[row] - row - 1, 24);
    return row === 0 || (header[row] * scale >= 10.5 && Math.min(w, h) >= 44 && w * h >= 5200 + 260 * many);
  };
  const isInside = (row, outer) => row >= outer && row < N.stop[outer];
  const fileOf = (row) => {
    for (; row >= 0; row = N.parent[row]) if (N.type[row] === FILE || N.type[row] === TEXTFILE) return row;
    return -1;
  };
  const lineCache = new Map();
  const linesOf = (row) => {
    if (!lineCache.has(row)) {
      if (lineCache.size > 40) lineCache.clear();
      const file = fileOf(row);
      const own = N.text[row] !== null ? N.text[row] : file >= 0 && N.start[row] ? N.text[file] : "";
      const lines = (own || "").split(/\r\n|\r|\n/);
      lineCache.set(row, N.text[row] === null && N.start[row] ? lines.slice(N.start[row] - 1, N.end[row]) : lines);
    }
    return lineCache.get(row);
  };

  // ------------------------------------------------------------------ drawing
  const draw = () => { if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; paint(); }); } };
  const box = (row) => [N.x[row] * scale + shiftX, N.y[row] * scale + shiftY, N.w[row] * scale, N.h[row] * scale];
  const number = (value) => value.toLocaleString("en");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function paint() {
    const ratio = devicePixelRatio || 1;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.fillStyle = css("--page");
    ctx.fillRect(0, 0, width, height);
    const previews = [];
    for (let row = 0; row < count;) row = paintNode(row, previews) ? row + 1 : N.stop[row];
    for (const [row, rectangle] of previews) paintSource(row, rectangle);
    if (relations || selected >= 0 || hovered >= 0) paintEdges();
    if (matched.size) for (const row of new Set([...matched].map(visible))) outline(row, css("--accent"), 2, 0);
    if (hovered >= 0 && hovered !== selected) outline(hovered, css("--text"), 1.5, 0);
    if (selected >= 0) outline(selected, css("--accent"), 3, 1);
  }

  // Draws one box; false when what is inside it cannot be seen.
  function paintNode(row, previews) {
    const [x, y, w, h] = box(row);
    if (x > width || y > height || x + w < 0 || y + h < 0 || w < 1 || h < 1) return false;
    if (row === 0 && N.type[0] < 0) return true; // a root that only holds several together
    if (shownTypes[N.type[row]]) {
      const [closed, border, text, wide] = colors(row), opened = opens(row), fill = opened && wide ? wide : closed, round = Math.min(7, w / 8, h / 8), gap = Math.min(1, w / 12, h / 12);
      ctx.beginPath();
      if (round > 1) ctx.roundRect(x + gap, y + gap, w - 2 * gap, h - 2 * gap, round);
      else ctx.rect(x + gap, y + gap, w - 2 * gap, h - 2 * gap);
      ctx.fillStyle = fill;
      ctx.fill();
      if (w > 5 && h > 5) { ctx.strokeStyle = border; ctx.lineWidth = w > 60 ? 1.2 : 0.7; ctx.stroke(); }
      const strip = opened ? header[row] * scale : h;
      paintLabel(row, x, y, w, strip, h, text, opened);
      if (!hasInner(row) && w > 150 && h > 70 && depth[row] > 0) previews.push([row, [x, y, w, h]]);
    }
    return opens(row);
  }

  const font = (size, weight) => `${weight} ${size}px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif`;
  function paintLabel(row, x, y, w, strip, h, color, opened) {
    const container = hasInner(row), room = w - 12;
    const largest = opened ? Math.min(strip * 0.68, 13 + Math.max(0, strip - 26) * 0.14, 22) : Math.min(strip * 0.62, 13);
    if (largest < 7 || w < 22) return;
    let text = label(row);
    const weight = container ? 600 : 500;
    if (!nameWidths[row]) { ctx.font = font(20, weight); nameWidths[row] = ctx.measureText(text).width / 20 || 0.1; }
    const size = Math.min(largest, Math.max(room / nameWidths[row], 9)), wide = nameWidths[row] * size;
    if (wide > room) {
      const keep = Math.floor(text.length * room / wide) - 1;
      if (keep < 2) return;
      text = text.slice(0, keep) + "…";
    }
    ctx.font = font(size, weight);
    ctx.fillStyle = color;
    ctx.textBaseline = "middle";
    const middle = opened ? y + strip / 2 + 0.5 : y + Math.min(h / 2, 5 + size * 0.75);
    ctx.fillText(text, x + 6, middle);
    const inside = N.stop[row] - row - 1, lines = N.end[row] - N.start[row] + 1;
    ctx.globalAlpha = 0.65;
    ctx.font = font(11, 400);
    if (container && !opened && h > 42 && w > 62) ctx.fillText(`${number(inside)} inside`, x + 6, y + 31);
    else if (opened && strip > 15 && N.start[row] > 0 && w > wide + 110) ctx.fillText(lines === 1 ? "1 line" : `${number(lines)} lines`, x + 14 + wide, middle);
    ctx.globalAlpha = 1;
  }

  // The first lines of the source, inside a box that is large enough to read them.
  function paintSource(row, [x, y, w, h]) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(x + 4, y + 22, w - 8, h - 26);
    ctx.clip();
    ctx.font = '10.5px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace';
    ctx.textBaseline = "top";
    ctx.fillStyle = colors(row)[2];
    ctx.globalAlpha = 0.78;
    const lines = linesOf(row), indents = lines.slice(0, 60).filter((line) => line.trim()).map((line) => line.length - line.trimStart().length);
    const cut = indents.length ? Math.min(...indents) : 0;
    for (let index = 0, top = y + 25; index < lines.length && top < y + h - 4 && top < height; index++, top += 14) {
      if (top > -14) ctx.fillText(lines[index].slice(cut, cut + 400).replaceAll("\t", "    "), x + 9, top);
    }
    ctx.restore();
  }

  function outline(row, color, line, grow) {
    const [x, y, w, h] = box(row);
    if (x > width || y > height || x + w < 0 || y + h < 0) return;
    ctx.strokeStyle = color;
    ctx.lineWidth = line;
    ctx.beginPath();
    ctx.roundRect(x - grow, y - grow, Math.max(w, 3) + 2 * grow, Math.max(h, 3) + 2 * grow, Math.min(7, w / 8, h / 8));
    ctx.stroke();
  }

  // The box itself, or the smallest one around it that is drawn.
  function visible(row) {
    let found = row;
    for (let each = row; each > 0; each = N.parent[each]) if (!opens(N.parent[each])) found = N.parent[each];
    return found;
  }

  // ------------------------------------------------------------------ relations
  // Every edge is drawn between the smallest boxes that hold its ends and can be seen; equal ones become one line.
  const standIns = new Int32Array(count);
  let gathered = { key: "", lines: [] };
  function gather(focus) {
    const key = [scale.toFixed(4), shownKinds, shownTypes, focus].join();
    if (gathered.key === key) return gathered.lines;
    const least = 5 / scale;
    for (let row = 1; row < count; row++) {
      const above = N.parent[row], hidden = standIns[above] !== above || !opens(above) || N.w[row] < least || N.h[row] < least;
      standIns[row] = hidden ? standIns[above] : row;
    }
    const shownIn = (row) => { while (row > 0 && N.type[row] >= 0 && !shownTypes[N.type[row]]) row = N.parent[row]; return row; };
    const lines = new Map();
    for (let edge = 0; edge < E.type.length; edge++) {
      if (!shownKinds[E.type[edge]]) continue;
      let a = E.source[edge], b = E.target[edge];
      if (focus >= 0) {
        const fromHere = isInside(a, focus), toHere = isInside(b, focus);
        if (fromHere === toHere) continue;
        a = fromHere ? shownIn(standIns[focus]) : shownIn(standIns[a]);
        b = toHere ? shownIn(standIns[focus]) : shownIn(standIns[b]);
      } else { a = shownIn(standIns[a]); b = shownIn(standIns[b]); }
      if (isInside(a, b) || isInside(b, a)) continue;
      const id = (E.type[edge] * count + a) * count + b, line = lines.get(id);
      if (line) line.weight++;
      else lines.set(id, { kind: E.type[edge], a, b, weight: 1 });
    }
    const found = [...lines.values()].sort((p, q) => q.weight - p.weight).slice(0, focus >= 0 ? 500 : 150);
    gathered = { key, lines: found.reverse() };
    return gathered.lines;
  }

  function paintEdges() {
    const focus = selected > 0 ? selected : -1;
    if (focus < 0 && !relations) return;
    const lines = gather(focus), heaviest = lines.length ? lines[lines.length - 1].weight : 1;
    if (focus >= 0) { ctx.fillStyle = theme === "dark" ? "rgba(10,12,16,.55)" : "rgba(247,248,250,.6)"; veil(focus, lines); }
    const clarity = Math.max(0.4, 0.9 - lines.length / 400); // many lines are drawn fainter
    for (const line of lines) paintEdge(line, focus >= 0 ? clarity : 0, heaviest);
  }

  // Dims what has nothing to do with the selection.
  function veil(focus, lines) {
    const clear = new Set([standIns[focus]]);
    for (const line of lines) { clear.add(line.a); clear.add(line.b); }
    ctx.beginPath();
    ctx.rect(0, 0, width, height);
    for (const row of clear) {
      if ([...clear].some((other) => other !== row && isInside(row, other))) continue;
      const [x, y, w, h] = box(row);
      ctx.rect(x, y, w, h);
    }
    ctx.fill("evenodd");
  }

  // Where the line from the centre of a box towards (tx, ty) leaves the box.
  function border([x, y, w, h], tx, ty) {
    const cx = x + w / 2, cy = y + h / 2, dx = tx - cx, dy = ty - cy;
    const reach = Math.min(w / 2 / Math.max(Math.abs(dx), 1e-6), h / 2 / Math.max(Math.abs(dy), 1e-6), 1);
    return [cx + dx * reach, cy + dy * reach];
  }

  function paintEdge({ kind, a, b, weight }, focused, heaviest) {
    const from = box(a), to = box(b);
    const [ax, ay] = border(from, to[0] + to[2] / 2, to[1] + to[3] / 2), [bx, by] = border(to, from[0] + from[2] / 2, from[1] + from[3] / 2);
    if (Math.max(ax, bx) < 0 || Math.max(ay, by) < 0 || Math.min(ax, bx) > width || Math.min(ay, by) > height) return;
    const length = Math.hypot(bx - ax, by - ay);
    if (length < 3) return;
    const bend = Math.min(0.16 * length, 70), mx = (ax + bx) / 2 - (by - ay) / length * bend, my = (ay + by) / 2 + (bx - ax) / length * bend;
    ctx.strokeStyle = ctx.fillStyle = EDGE_COLORS[theme][KINDS[kind]];
    ctx.globalAlpha = focused || 0.12 + 0.4 * Math.sqrt(weight / heaviest);
    ctx.lineWidth = (focused ? 1.1 : 0.8) + Math.min(2, Math.log2(weight) * 0.3);
    ctx.beginPath();
    ctx.moveTo(ax, ay);
    ctx.quadraticCurveTo(mx, my, bx, by);
    ctx.stroke();
    const size = Math.min(5 + ctx.lineWidth * 1.4, length / 3), angle = Math.atan2(by - my, bx - mx);
    ctx.beginPath();
    ctx.moveTo(bx, by);
    ctx.lineTo(bx - size * Math.cos(angle - 0.4), by - size * Math.sin(angle - 0.4));
    ctx.lineTo(bx - size * Math.cos(angle + 0.4), by - size * Math.sin(angle + 0.4));
    ctx.fill();
    ctx.globalAlpha = 1;
  }

  // ------------------------------------------------------------------ moving
  function resize() {
    const rectangle = canvas.parentElement.getBoundingClientRect(), ratio = devicePixelRatio || 1, first = width === 1;
    width = Math.max(rectangle.width, 1);
    height = Math.max(rectangle.height, 1);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    if (first) fit(0, false);
    draw();
  }

  // Brings a box into view: the whole of it, with some room around.
  function fit(row, animate = true) {
    if (!count) return;
    const target = fitScale(row, row === 0 ? 0.015 : 0.12);
    glide(target, width / 2 - (N.x[row] + N.w[row] / 2) * target, height / 2 - (N.y[row] + N.h[row] / 2) * target, animate);
  }

  const fitScale = (row, share) => {
    const room = Math.min(width, height) * share;
    return Math.min((width - 2 * room) / Math.max(N.w[row], 1e-9), (height - 2 * room) / Math.max(N.h[row], 1e-9), 4000);
  };

  function glide(toScale, toX, toY, animate) {
    cancelAnimationFrame(animation);
    const set = (s, x, y) => { scale = s; shiftX = x; shiftY = y; draw(); };
    if (!animate || matchMedia("(prefers-reduced-motion: reduce)").matches) return set(toScale, toX, toY);
    const fromScale = scale, cx = (width / 2 - shiftX) / scale, cy = (height / 2 - shiftY) / scale, start = performance.now();
    const tx = (width / 2 - toX) / toScale, ty = (height / 2 - toY) / toScale;
    const step = (now) => {
      const time = Math.min(1, (now - start) / 350), eased = 1 - (1 - time) ** 3;
      const s = fromScale * (toScale / fromScale) ** eased;
      const part = fromScale === toScale ? eased : (1 / fromScale - 1 / s) / (1 / fromScale - 1 / toScale);
      set(s, width / 2 - (cx + (tx - cx) * part) * s, height / 2 - (cy + (ty - cy) * part) * s);
      if (time < 1) animation = requestAnimationFrame(step);
    };
    animation = requestAnimationFrame(step);
  }

  function zoom(factor, x = width / 2, y = height / 2) {
    cancelAnimationFrame(animation);
    const next = Math.min(Math.max(scale * factor, 0.2), 6000), ratio = next / scale;
    shiftX = x - (x - shiftX) * ratio;
    shiftY = y - (y - shiftY) * ratio;
    scale = next;
    draw();
  }

  // The smallest visible box at a point of the screen, -1 for none.
  function hit(x, y) {
    const wx = (x - shiftX) / scale, wy = (y - shiftY) / scale;
    const holds = (row) => wx >= N.x[row] && wy >= N.y[row] && wx <= N.x[row] + N.w[row] && wy <= N.y[row] + N.h[row];
    let found = -1;
    for (let row = 0; row < count;) {
      const visible = N.w[row] * scale >= 1 && N.h[row] * scale >= 1;
      if (!visible || !holds(row)) { row = N.stop[row]; continue; }
      if (N.type[row] >= 0 && shownTypes[N.type[row]]) found = row;
      if (!opens(row)) break;
      row++;
    }
    return found;
  }

  // ------------------------------------------------------------------ document helpers
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "class") made.className = value;
      else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }
  const dot = (row) => { const [fill, line] = colors(row), mark = element("span", { class: "dot" }); mark.style.background = fill; mark.style.borderColor = line; return mark; };
  const dash = (kind) => { const mark = element("span", { class: "dash" }); mark.style.borderColor = EDGE_COLORS[theme][KINDS[kind]]; return mark; };
  const link = (row, text) => element("button", { class: "link", type: "button", onclick: () => select(row, true), onmouseenter: () => { hovered = row; draw(); }, onmouseleave: () => { hovered = -1; draw(); } }, text);

  // ------------------------------------------------------------------ the panel
  const TOKENS = {
    "#": /(?<c>#[^\n]*)|(?<s>[rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))|(?<d>@[\w.]+)|(?<n>\b\d[\w.]*)|(?<w>[A-Za-z_]\w*)/g,
    "//": /(?<c>\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<s>"""[\s\S]*?(?:"""|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)|(?<d>@[\w.]+)|(?<n>\b\d[\w.]*)|(?<w>[A-Za-z_$][\w$]*)/g,
  };
  const LANGUAGES = data.languages.map(({ suffixes, keywords, comment }) => ({ suffixes, keywords: new Set(keywords), tokens: TOKENS[comment] }));
  function highlighted(text, language) {
    const parts = document.createDocumentFragment();
    if (!language) { parts.append(text); return parts; }
    let last = 0;
    for (const found of text.matchAll(language.tokens)) {
      const kind = found.groups.w ? (language.keywords.has(found[0]) ? "k" : "") : ["c", "s", "d", "n"].find((name) => found.groups[name]);
      if (!kind) continue;
      parts.append(text.slice(last, found.index), element("span", { class: kind }, found[0]));
      last = found.index + found[0].length;
    }
    parts.append(text.slice(last));
    return parts;
  }

  function sourceBlock(row) {
    const all = linesOf(row), first = N.start[row] || 1, language = LANGUAGES.find(({ suffixes }) => suffixes.some((suffix) => (N.path[row] || "").endsWith(suffix)));
    const block = element("div", { class: "code" });
    const show = (limit) => {
      const lines = all.slice(0, limit);
      const gutter = lines.map((_, index) => first + index).join("\n");
      block.replaceChildren(element("pre", { class: "gutter", "aria-hidden": "true" }, gutter), element("pre", { class: "source" }, highlighted(lines.join("\n"), language)));
    };
    show(400);
    if (all.length <= 400) return [block];
    const more = element("button", { class: "link", type: "button", onclick: () => { show(Infinity); more.remove(); } }, `show all ${number(all.length)} lines`);
    return [block, more];
  }

  // [kind, outgoing] -> ends, for the edges that leave or enter a node or what is inside it
  function relationsOf(row) {
    const groups = new Map();
    const add = (kind, outgoing, end) => {
      const key = kind * 2 + (outgoing ? 0 : 1);
      if (!groups.has(key)) groups.set(key, new Map());
      groups.get(key).set(end, (groups.get(key).get(end) || 0) + 1);
    };
    for (let edge = 0; edge < E.type.length; edge++) {
      const a = E.source[edge], b = E.target[edge], fromHere = isInside(a, row), toHere = isInside(b, row);
      if (a === row && b === row) add(E.type[edge], true, row);
      else if (fromHere && !toHere) add(E.type[edge], true, b);
      else if (toHere && !fromHere) add(E.type[edge], false, a);
    }
    return [...groups].sort((p, q) => p[0] - q[0]);
  }

  function listOf(rows, heading) {
    const list = element("ul", { class: "list" }), LIMIT = 25;
    const fill = (limit) => list.replaceChildren(...rows.slice(0, limit).map((row) => element("li", {}, dot(row), link(row, label(row)), element("small", {}, N.start[row] ? `${N.qual[row]} · line ${N.start[row]}` : N.path[row] || N.qual[row]))));
    fill(LIMIT);
    const more = rows.length > LIMIT ? element("button", { class: "link", type: "button", onclick: () => { fill(Infinity); more.remove(); } }, `show all ${number(rows.length)}`) : null;
    return [heading, list, more];
  }

  function showNode(row) {
    const panel = $("panel"), above = [];
    for (let each = N.parent[row]; each >= 0; each = N.parent[each]) if (N.type[each] >= 0) above.unshift(each);
    const crumbs = element("div", { class: "crumbs" });
    above.forEach((each, index) => crumbs.append(...(index ? ["›"] : []), link(each, label(each))));
    const place = N.path[row] ? N.path[row] + (N.start[row] ? `:${N.start[row]}–${N.end[row]}` : "") : "";
    const parts = [
      element("div", { class: "kind" }, dot(row), typeName(row), element("span", {}, `· id ${N.id[row]}`)),
      element("h2", {}, label(row)), place ? element("p", { class: "where" }, place) : null, crumbs,
      N.note[row] ? element("p", { class: "note" }, N.note[row]) : null,
    ];
    const inner = [];
    for (let each = row + 1; each < N.stop[row]; each = N.stop[each]) inner.push(each);
    for (const [key, ends] of relationsOf(row)) {
      const kind = key >> 1, phrase = PHRASES[KINDS[kind]][key & 1];
      const rows = [...ends.keys()].sort((a, b) => ends.get(b) - ends.get(a) || a - b);
      parts.push(...listOf(rows, element("h3", {}, dash(kind), phrase, element("b", {}, number(rows.length)))));
    }
    if (inner.length) parts.push(...listOf(inner, element("h3", {}, "Contains", element("b", {}, number(inner.length)))));
    if (linesOf(row).some((line) => line)) parts.push(element("h3", {}, "Source"), ...sourceBlock(row));
    panel.replaceChildren(...parts.filter((part) => part !== null));
    panel.scrollTop = 0;
  }

  function showOverview() {
    const table = (names, counts) => element("table", { class: "counts" }, ...names.map((name, code) => [name, counts[code]]).filter(([, many]) => many).map(([name, many]) => element("tr", {}, element("td", {}, name), element("td", {}, number(many)))));
    const help = [
      ["Move", "drag to pan, wheel or pinch to zoom, double click to zoom into a box"], ["Click a box", "its relations, its neighbours and its source"],
      ["Boxes", "each lies inside what contains it; its area grows with its lines"], ["Lines", "relations, gathered at the boxes that can be seen; thicker is more; zoom in to tell them apart"],
      ["Keys", "/ search · 0 everything · + − zoom · e relations · Esc back"],
    ];
    $("panel").replaceChildren(
      element("h2", {}, data.title), element("h3", {}, "Nodes"), table(TYPES, tally(N.type, TYPES)), element("h3", {}, "Relations"), table(KINDS, tally(E.type, KINDS)),
      ...remarks().map((text) => element("p", { class: "help" }, text)),
      element("h3", {}, "How to read the map"), element("dl", { class: "help" }, ...help.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)])),
    );
  }
  const remarks = () => [
    data.diagnostics ? `${number(data.diagnostics)} problems were met while the graph was built; see codefuse-hf graph stats --json.` : "",
    data.droppedEdges ? `${number(data.droppedEdges)} edges were left out because an end of theirs is missing.` : "",
  ].filter((text) => text);
  const tally = (codes, names) => { const counts = names.map(() => 0); for (const code of codes) if (code >= 0) counts[code]++; return counts; };

  // A page in a frame may have no address of its own to change.
  const address = hash => { try { history.replaceState(null, "", hash); } catch { } };
  function select(row, move) {
    selected = row;
    if (row >= 0) {
      showNode(row);
      if (move) reveal(row);
      address(`#${N.id[row]}`);
    } else { showOverview(); address("#"); }
    draw();
  }

  // Moves only when the box cannot be seen well: to its container, so that its surroundings stay in sight, or closer.
  function reveal(row) {
    const [x, y, w, h] = box(row), seen = x > 0 && y > 0 && x + w < width && y + h < height && visible(row) === row;
    if (seen && w > 40 && h > 14) return;
    const around = Math.max(N.parent[row], 0), closest = fitScale(row, 0.12), wanted = Math.max(90 / N.w[row], 34 / N.h[row]);
    const whole = fitScale(around, 0.03), target = Math.min(Math.max(whole, wanted), closest), centre = target > whole ? row : around;
    glide(target, width / 2 - (N.x[centre] + N.w[centre] / 2) * target, height / 2 - (N.y[centre] + N.h[centre] / 2) * target, true);
  }

  // ------------------------------------------------------------------ search
  const lowerNames = N.name.map((name) => name.toLowerCase()), lowerQuals = N.qual.map((name, row) => `${name} ${N.path[row]}`.toLowerCase());
  function rank(row, wanted) {
    const name = lowerNames[row];
    if (name === wanted) return 0;
    if (name.startsWith(wanted)) return 1;
    if (name.includes(wanted)) return 2;
    return lowerQuals[row].includes(wanted) ? 3 : 9;
  }
  function search(text) {
    const wanted = text.trim().toLowerCase(), found = [];
    if (wanted) for (let row = 0; row < count; row++) {
      const level = N.type[row] >= 0 && shownTypes[N.type[row]] ? rank(row, wanted) : 9;
      if (level < 9) found.push([level, N.name[row].length, row]);
    }
    return found.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]).map((each) => each[2]);
  }

  const input = $("search"), results = $("results");
  let listed = [], marked = 0;
  function showResults() {
    const found = search(input.value);
    listed = found.slice(0, 60);
    marked = 0;
    matched = new Set(found.filter((row) => lowerNames[row].includes(input.value.trim().toLowerCase())).slice(0, 400));
    const items = listed.map((row, index) => element("li", { role: "option", id: `result-${index}`, onmousedown: (event) => { event.preventDefault(); choose(index); } }, dot(row), element("span", {}, label(row)), element("small", {}, "\u200e" + (N.qual[row] || N.path[row]))));
    if (found.length > listed.length) items.push(element("li", { class: "none" }, `and ${number(found.length - listed.length)} more`));
    if (!found.length) items.push(element("li", { class: "none" }, "Nothing has this in its name or path"));
    results.replaceChildren(...items);
    results.hidden = !input.value.trim();
    input.setAttribute("aria-expanded", String(!results.hidden));
    mark();
    draw();
  }
  function mark() {
    [...results.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === marked && index < listed.length)));
    if (listed.length) { input.setAttribute("aria-activedescendant", `result-${marked}`); results.children[marked].scrollIntoView({ block: "nearest" }); }
  }
  function choose(index) {
    if (!listed.length) return;
    results.hidden = true;
    input.setAttribute("aria-expanded", "false");
    matched = new Set();
    select(listed[index], true);
    canvas.focus();
  }
  input.addEventListener("input", showResults);
  input.addEventListener("focus", () => { if (input.value.trim()) showResults(); });
  input.addEventListener("blur", () => { results.hidden = true; });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { marked = (marked + (event.key === "ArrowDown" ? 1 : listed.length - 1)) % Math.max(listed.length, 1); mark(); event.preventDefault(); }
    else if (event.key === "Enter") choose(marked);
    else if (event.key === "Escape") { input.value = ""; matched = new Set(); results.hidden = true; canvas.focus(); draw(); }
    event.stopPropagation();
  });

  // ------------------------------------------------------------------ filters
  function chips(holder, names, counts, shown, sign, changed) {
    holder.replaceChildren(...names.map((name, code) => {
      if (!counts[code]) return null;
      const chip = element("button", { class: "chip", type: "button", "aria-pressed": String(shown[code]), "data-name": name, title: `Show or hide ${name}` }, sign(code), name, element("b", {}, number(counts[code])));
      chip.addEventListener("click", () => { shown[code] = !shown[code]; chip.setAttribute("aria-pressed", String(shown[code])); changed(); });
      return chip;
    }).filter((chip) => chip));
  }
  function showChips() {
    const typeSign = (code) => { const [fill, line] = NODE_COLORS[theme][TYPES[code]], made = element("span", { class: "dot" }); made.style.background = fill; made.style.borderColor = line; return made; };
    chips($("node-types"), TYPES, tally(N.type, TYPES), shownTypes, typeSign, draw);
    chips($("edge-types"), KINDS, tally(E.type, KINDS), shownKinds, dash, draw);
  }
  function setTheme(next) {
    theme = next;
    document.documentElement.dataset.theme = theme;
    showChips();
    if (selected >= 0) showNode(selected);
    draw();
  }

  // ------------------------------------------------------------------ events
  const pointers = new Map();
  let moved = false, pinch = 0;
  const at = (event) => { const edge = canvas.getBoundingClientRect(); return [event.clientX - edge.left, event.clientY - edge.top]; };
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); pointers.set(event.pointerId, at(event)); moved = pointers.size > 1; pinch = 0; cancelAnimationFrame(animation); });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event), before = pointers.get(event.pointerId);
    if (!before) return hover(x, y);
    pointers.set(event.pointerId, [x, y]);
    if (pointers.size === 2) {
      const [[ax, ay], [bx, by]] = [...pointers.values()], apart = Math.hypot(ax - bx, ay - by);
      if (pinch) zoom(apart / pinch, (ax + bx) / 2, (ay + by) / 2);
      pinch = apart;
    } else if (moved || Math.hypot(x - before[0], y - before[1]) > 3) {
      moved = true;
      canvas.classList.add("dragging");
      shiftX += x - before[0];
      shiftY += y - before[1];
      $("tip").hidden = true;
      draw();
    } else pointers.set(event.pointerId, before);
  });
  const release = (event) => {
    const here = at(event), pressed = pointers.delete(event.pointerId);
    canvas.classList.remove("dragging");
    if (pressed && !moved && event.type === "pointerup" && event.button === 0) { const row = hit(...here); select(row > 0 || selected !== row ? row : -1, false); }
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { hovered = -1; $("tip").hidden = true; draw(); });
  canvas.addEventListener("dblclick", (event) => { const row = hit(...at(event)); if (row >= 0) fit(row); });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...at(event)); hover(...at(event)); }, { passive: false });

  function hover(x, y) {
    const row = hit(x, y), tip = $("tip");
    tip.hidden = row < 0;
    if (row >= 0) {
      const lines = N.start[row] ? ` · ${number(N.end[row] - N.start[row] + 1)} lines` : "", inside = hasInner(row) ? ` · ${number(N.stop[row] - row - 1)} inside` : "";
      if (row !== hovered) tip.replaceChildren(element("b", {}, N.qual[row] || label(row)), element("span", {}, typeName(row) + lines + inside));
      const { offsetWidth: w, offsetHeight: h } = tip;
      tip.style.left = `${Math.max(4, Math.min(x + 14, width - w - 6))}px`;
      tip.style.top = `${y + h + 24 > height ? y - h - 10 : y + 18}px`;
    }
    if (row !== hovered) { hovered = row; draw(); }
  }

  const toggleRelations = () => { relations = !relations; $("all-edges").setAttribute("aria-pressed", String(relations)); draw(); };
  $("zoom-in").addEventListener("click", () => zoom(1.5));
  $("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  $("fit").addEventListener("click", () => fit(0));
  $("all-edges").addEventListener("click", toggleRelations);
  $("theme").addEventListener("click", () => setTheme(theme === "dark" ? "light" : "dark"));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = { "/": () => { input.focus(); input.select(); }, "0": () => fit(0), "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), e: toggleRelations, Escape: () => select(-1, false) };
    if (actions[event.key]) { actions[event.key](); event.preventDefault(); }
  });
  const divider = $("divider");
  divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (event) => { if (divider.hasPointerCapture(event.pointerId)) { $("panel").style.flexBasis = `${Math.max(220, innerWidth - event.clientX)}px`; } });

  // ------------------------------------------------------------------ start
  $("title").textContent = data.title;
  $("totals").textContent = `${number(count - (N.type[0] < 0 ? 1 : 0))} nodes · ${number(E.type.length)} relations`;
  const notices = Object.entries(data.leftOut).map(([name, many]) => `${number(many)} ${name}`);
  if (notices.length) { $("notice").textContent = `Left out to keep the page light: ${notices.join(", ")}`; $("notice").hidden = false; }
  setTheme(theme);
  new ResizeObserver(resize).observe(canvas.parentElement);
  resize();
  const open = () => { const row = N.id.indexOf(Number(location.hash.slice(1))); select(location.hash.length > 1 ? row : -1, true); };
  addEventListener("hashchange", open);
  open();
  document.body.dataset.ready = "true";
})();
