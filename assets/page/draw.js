// Draws the page's timeline on canvases over the picture that stands there, for any stretch of time.

const data = JSON.parse(document.getElementById('data').textContent);
const gantt = document.getElementById('gantt');
const canvas = document.createElement('canvas');
if (!gantt || !canvas.getContext) return;
const root = document.documentElement, tip = document.getElementById('tip');
const ticks = gantt.querySelector('.ticks'), tools = document.querySelector('.tools');
const output = tools.querySelector('output'), SVG = 'http://www.w3.org/2000/svg';
const PHASES = data.phases.length, FAILED = 0, ABANDONED = 1, REPLACED = 2, TAKEN = 3;
const shortest = Math.max(Math.min(20, data.long), data.long / 1e5);
const whole = { from: 0, to: data.long };
let view = { ...whole }, pointed = null, colours = {}, patterns = [];

const at = (list, moment) => {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= moment) low = middle + 1; else high = middle;
  }
  return low;
};
const exact = flat => {
  const count = flat.length / 4, row = {
    from: new Float64Array(count), to: new Float64Array(count),
    phase: new Uint8Array(count), task: new Uint32Array(count),
  };
  for (let i = 0, last = 0; i < count; i++) {
    row.from[i] = last + flat[i * 4];
    last = row.to[i] = row.from[i] + flat[i * 4 + 1];
    row.phase[i] = flat[i * 4 + 2];
    row.task[i] = flat[i * 4 + 3];
  }
  return row;
};
const columns = (whole, of, merged) => {
  const long = whole / of, list = [];
  let place = 0;
  for (const [count, ...shares] of merged) {
    list.push({ from: place * long, to: (place + count) * long, shares });
    place += count;
  }
  return { columns: list, from: list.map(column => column.from), long };
};

const runs = [];
data.runs.forEach((run, place) => {
  const plot = gantt.querySelector(`[data-run="${place}"] .plot`);
  if (!plot) return;
  const layers = [0, 1].map(() => plot.appendChild(document.createElement('canvas')));
  layers.forEach(layer => layer.setAttribute('aria-hidden', 'true'));
  const rows = run.rows.map((row, i) => ({
    name: row.name, marks: row.marks || [], y: i * (run.row + data.gap),
    ...(row.spans ? exact(row.spans) : columns(run.long, ...row.shares)),
  }));
  const steps = [];
  for (let i = 0, last = 0; run.steps && i < run.steps.length; i += 2) {
    steps.push({ from: last, to: last += run.steps[i], level: run.steps[i + 1] });
  }
  runs.push({ ...run, rows, steps, plot, base: layers[0], over: layers[1], baseline: run.base });
});
if (!runs.length) return;
root.classList.add('js');
tools.hidden = false;
document.querySelectorAll('.scripted').forEach(element => { element.hidden = false; });
gantt.tabIndex = 0;
gantt.setAttribute('role', 'group');
gantt.setAttribute('aria-label', 'Timeline. Plus and minus zoom, arrow keys move, zero shows the whole race. The tables of tasks hold the same moments.');

const x = (micros, wide) => (micros - view.from) / (view.to - view.from) * wide;

function theme() {
  const style = getComputedStyle(root), names = ['ground', 'panel', 'lane', 'rule', 'text', 'dim', 'strong', 'accent', 'bad', 'warn'];
  for (let i = 0; i < PHASES; i++) names.push('g' + i, 'l' + i);
  for (let i = 0; i < 6; i++) names.push('r' + i);
  for (const name of names) colours[name] = style.getPropertyValue('--' + name).trim();
  const ratio = devicePixelRatio || 1;
  patterns = data.phases.map(([, path, width], i) => {
    const tile = document.createElement('canvas');
    tile.width = tile.height = Math.round(data.tile * ratio);
    const pen = tile.getContext('2d');
    pen.scale(tile.width / data.tile, tile.height / data.tile);
    pen.fillStyle = colours['g' + i];
    pen.fillRect(0, 0, data.tile, data.tile);
    pen.strokeStyle = colours['l' + i];
    pen.lineWidth = width;
    pen.lineCap = 'round';
    if (path) pen.stroke(new Path2D(path));
    const pattern = pen.createPattern(tile, 'repeat');
    if (pattern.setTransform) pattern.setTransform(new DOMMatrix().scale(data.tile / tile.width));
    return pattern;
  });
}

function pen(layer) {
  const ratio = devicePixelRatio || 1, box = layer.parentNode.getBoundingClientRect();
  const wide = Math.round(box.width * ratio), tall = Math.round(box.height * ratio);
  if (layer.width !== wide || layer.height !== tall) [layer.width, layer.height] = [wide, tall];
  const context = layer.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, box.width, box.height);
  return { context, wide: box.width, tall: box.height };
}

function grid() {
  const wide = ticks.clientWidth, long = view.to - view.from;
  const step = tickStep(long, Math.max(2, Math.floor(wide / 96)));
  const places = [];
  for (let n = Math.ceil(view.from / step - 1e-9); n * step <= view.to + 1e-6 && places.length < 200; n++) places.push(n * step);
  return { step, places };
}

function drawAxis({ step, places }) {
  const wide = ticks.clientWidth, spans = [];
  let free = -Infinity;
  for (const place of places) {
    const span = document.createElement('span'), left = x(place, wide), words = label(place, step);
    const long = words.length * 7;
    if (left - long / 2 < free) continue;
    span.textContent = words;
    span.style.left = left + 'px';
    span.style.transform = left < long / 2 ? 'none' : left + long / 2 > wide ? 'translateX(-100%)' : 'translateX(-50%)';
    free = left + long / 2 + 10;
    spans.push(span);
  }
  ticks.replaceChildren(...spans);
  const all = view.from <= 0 && view.to >= data.long;
  output.textContent = moment(view.from) + ' – ' + moment(view.to);
  tools.querySelector('[data-do=out]').disabled = tools.querySelector('[data-do=all]').disabled = all;
  tools.querySelector('[data-do=left]').disabled = view.from <= 0;
  tools.querySelector('[data-do=right]').disabled = view.to >= data.long;
  tools.querySelector('[data-do=in]').disabled = view.to - view.from <= shortest * 1.001;
}

function drawRun(run, { places }) {
  const { context, wide, tall } = pen(run.base);
  const lanes = run.rows.length * (run.row + data.gap) - data.gap;
  context.fillStyle = colours.rule;
  for (const place of places) context.fillRect(Math.floor(x(place, wide)), 0, 1, tall);
  const begin = Math.max(0, x(0, wide)), end = Math.min(wide, x(run.long, wide));
  if (run.baseline) {
    const to = x(run.baseline, wide);
    if (to > end + 2 && end < wide) {
      context.globalAlpha = .6;
      context.fillStyle = colours.panel;
      context.fillRect(Math.max(end, 0), 0, to - end, lanes);
      context.globalAlpha = 1;
      context.strokeStyle = colours.rule;
      context.lineWidth = 1;
      context.setLineDash([4, 3]);
      context.strokeRect(end - 2, .5, to - end + 1.5, lanes - 1);
      context.setLineDash([]);
      if (run.saved) {
        context.font = '13px ' + getComputedStyle(document.body).fontFamily;
        const [left, right] = [Math.max(end, 0), Math.min(to, wide)];
        if (right - left > context.measureText(run.saved).width + 16) {
          context.textAlign = 'center';
          text(context, run.saved, (left + right) / 2, lanes / 2 + 4.5, colours.dim);
          context.textAlign = 'left';
        }
      }
    }
  }
  for (const row of run.rows) {
    if (end <= begin) break;
    context.fillStyle = colours.lane;
    context.fillRect(begin, row.y, end - begin, run.row);
    if (row.columns) drawColumns(context, run, row, wide); else drawSpans(context, run, row, wide);
    drawMarks(context, run, row, wide);
  }
  if (run.baseline && run.baseline < run.long) {
    const place = x(run.baseline, wide);
    context.strokeStyle = colours.strong;
    context.lineWidth = 1.5;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(place, 0);
    context.lineTo(place, lanes);
    context.stroke();
    context.setLineDash([]);
  }
  if (run.steps.length) {
    const bottom = tall, unit = data.strip / Math.max(data.most, 1);
    context.fillStyle = colours['r' + run.hue];
    context.beginPath();
    let any = false;
    for (const step of run.steps) {
      if (step.to <= view.from || step.from >= view.to) continue;
      const left = Math.max(0, x(step.from, wide)), right = Math.min(wide, x(step.to, wide));
      if (!any) context.moveTo(left, bottom);
      any = true;
      context.lineTo(left, bottom - step.level * unit);
      context.lineTo(right, bottom - step.level * unit);
    }
    if (any) {
      context.lineTo(Math.min(wide, x(run.steps[run.steps.length - 1].to, wide)), bottom);
      context.fill();
    }
  }
}

function text(context, words, left, base, colour) {
  context.lineWidth = 3.5;
  context.lineJoin = 'round';
  context.strokeStyle = colours.ground;
  context.strokeText(words, left, base);
  context.fillStyle = colour;
  context.fillText(words, left, base);
}

function stack(context, run, row, left, wide, shares) {
  let top = row.y + run.row;
  for (let i = 0; i < shares.length; i += 2) {
    const tall = shares[i + 1] * run.row;
    context.fillStyle = patterns[shares[i]];
    context.fillRect(left, top -= tall, wide, tall);
  }
}

// Columns that are narrower than a pixel are drawn together.
function drawColumns(context, run, row, wide) {
  let sums = new Float64Array(PHASES), from = null;
  for (const column of row.columns) {
    if (column.to <= view.from || column.from >= view.to) continue;
    if (from === null) from = column.from;
    for (let i = 0; i < column.shares.length; i += 2) {
      sums[column.shares[i]] += column.shares[i + 1] / 100 * (column.to - column.from);
    }
    const left = x(from, wide), right = x(Math.min(column.to, run.long), wide);
    if (right - left < 1 && column.to < run.long) continue;
    const shares = [];
    sums.forEach((sum, phase) => { if (sum > 0) shares.push(phase, sum / (column.to - from)); });
    stack(context, run, row, left, Math.max(right - left, 1), shares);
    [sums, from] = [new Float64Array(PHASES), null];
  }
}

function drawSpans(context, run, row, wide) {
  const first = at(row.to, view.from);
  let last = first;
  while (last < row.from.length && row.from[last] < view.to) last++;
  if (last - first > wide / 2) return drawDense(context, run, row, wide, first, last);
  for (let phase = 0; phase < PHASES; phase++) {
    context.fillStyle = patterns[phase];
    for (let i = first; i < last; i++) {
      if (row.phase[i] !== phase) continue;
      const left = Math.max(-9, x(row.from[i], wide)), right = Math.min(wide + 9, x(row.to[i], wide));
      context.fillRect(left, row.y, Math.max(right - left, .6), run.row);
    }
  }
  const tasks = [];
  for (let i = first; i < last; i++) {
    const before = tasks[tasks.length - 1];
    if (before && before.task === row.task[i]) before.to = row.to[i];
    else tasks.push({ task: row.task[i], from: row.from[i], to: row.to[i] });
  }
  context.fillStyle = colours.ground;
  if (tasks.length * 6 < wide) tasks.slice(1).forEach(task => context.fillRect(Math.round(x(task.from, wide)) - .5, row.y, 1, run.row));
  context.font = '11px ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
  const numbered = tasks.map(task => {
    const left = Math.max(0, x(task.from, wide)), words = String(task.task + 1);
    return { left, words, fits: Math.min(wide, x(task.to, wide)) - left > words.length * 6.7 + 8 };
  });
  const fitting = numbered.filter(number => number.fits);
  if (run.row >= 11 && fitting.length * 2 > tasks.length) {
    for (const { left, words } of fitting) text(context, words, left + 4, row.y + run.row / 2 + 4, colours.strong);
  }
}

function drawDense(context, run, row, wide, first, last) {
  const cells = Math.ceil(wide), sums = new Float64Array(cells * PHASES), scale = cells / (view.to - view.from);
  for (let i = first; i < last; i++) {
    const from = Math.max(0, (row.from[i] - view.from) * scale), to = Math.min(cells, (row.to[i] - view.from) * scale);
    for (let cell = Math.floor(from); cell < to; cell++) {
      sums[cell * PHASES + row.phase[i]] += Math.min(to, cell + 1) - Math.max(from, cell);
    }
  }
  const width = wide / cells;
  for (let cell = 0; cell < cells; cell++) {
    const shares = [];
    for (let phase = 0; phase < PHASES; phase++) {
      const share = sums[cell * PHASES + phase];
      if (share > 0) shares.push(phase, Math.min(1, share));
    }
    if (shares.length) stack(context, run, row, cell * width, width, shares);
  }
}

function drawMarks(context, run, row, wide) {
  const middle = row.y + run.row / 2, half = Math.min(4, Math.max(2, run.row / 2 - 4));
  for (const [moment, kind, , since] of row.marks) {
    // What ends a task stands inside it, not on the next one.
    const place = kind === FAILED || kind === ABANDONED ? Math.max(x(moment, wide) - 6, x(0, wide) + 6) : x(moment, wide);
    if (kind === TAKEN && since != null && place > -9) {
      const from = x(since, wide);
      context.fillStyle = colours.strong;
      if (place > from + 3) context.fillRect(from, row.y + run.row - 2, place - from, 2);
    }
    if (place < -9 || place > wide + 9) continue;
    context.beginPath();
    context.lineWidth = 2;
    context.lineCap = 'round';
    if (kind === FAILED) {
      context.fillStyle = colours.ground;
      context.arc(place, middle, half + 2.5, 0, 7);
      context.fill();
      context.beginPath();
      context.moveTo(place - half, middle - half);
      context.lineTo(place + half, middle + half);
      context.moveTo(place + half, middle - half);
      context.lineTo(place - half, middle + half);
      context.strokeStyle = colours.bad;
    } else if (kind === ABANDONED) {
      for (const side of [-2, 2]) {
        context.moveTo(place + side, middle - half - 2);
        context.lineTo(place + side, middle + half + 2);
      }
      context.strokeStyle = colours.warn;
    } else if (kind === REPLACED) {
      context.arc(place, middle, half, .5, 5.6);
      context.strokeStyle = colours.warn;
    } else {
      context.arc(place, middle, half, 0, 7);
      context.fillStyle = colours.strong;
      context.fill();
      context.strokeStyle = colours.ground;
    }
    context.stroke();
    context.lineCap = 'butt';
  }
}

function drawOver() {
  ticks.querySelectorAll('.where').forEach(element => element.remove());
  for (const run of runs) {
    const { context, wide, tall } = pen(run.over);
    if (!pointed) continue;
    const place = x(pointed.moment, wide);
    if (pointed.task != null) {
      context.strokeStyle = colours.strong;
      context.lineWidth = 2;
      for (const row of run.rows) {
        if (!row.task) continue;
        let from = null, to = null;
        for (let i = 0; i < row.task.length; i++) {
          if (row.task[i] !== pointed.task) continue;
          if (from === null) from = row.from[i];
          to = row.to[i];
        }
        if (from === null || to <= view.from || from >= view.to) continue;
        const left = Math.max(-4, x(from, wide)), right = Math.min(wide + 4, x(to, wide));
        context.strokeRect(left, row.y, Math.max(right - left, 2), run.row);
      }
    }
    context.fillStyle = colours.strong;
    context.globalAlpha = .55;
    context.fillRect(Math.round(place), 0, 1, tall);
    context.globalAlpha = 1;
  }
  if (!pointed) return;
  const where = document.createElement('span');
  where.className = 'where';
  where.textContent = moment(pointed.moment);
  where.style.transform = 'translateX(-50%)';
  ticks.append(where);
  const half = where.offsetWidth / 2, wide = ticks.clientWidth;
  where.style.left = Math.min(Math.max(x(pointed.moment, wide), half), wide - half) + 'px';
}
