// Draws the page's timeline again at any zoom, and says what is under the pointer.
// The page is whole without it: the same picture stands there already, and the tables say the rest.
(() => {
  'use strict';
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
    runs.push({ ...run, rows, steps, plot, base: layers[0], over: layers[1], baseline: run.base, colour: place % 6 });
  });
  if (!runs.length) return;
  root.classList.add('js');
  tools.hidden = false;
  document.querySelectorAll('.scripted').forEach(element => { element.hidden = false; });
  gantt.tabIndex = 0;
  gantt.setAttribute('role', 'group');
  gantt.setAttribute('aria-label', 'Timeline. Plus and minus zoom, arrow keys move, zero shows the whole race. The tables of tasks hold the same moments.');

  // Numbers in words.
  const count = number => String(number).replace(/\B(?=(\d{3})+$)/g, ',');
  const time = micros => {
    const two = number => String(number).padStart(2, '0');
    if (micros <= 0) return '0 s';
    if (micros < 5) return '<0.01 ms';
    if (micros < 9995) return (micros / 1e3).toFixed(2) + ' ms';
    if (micros < 999500) return Math.round(micros / 1e3) + ' ms';
    if (micros < 59995e3) return (micros / 1e6).toFixed(2) + ' s';
    const seconds = Math.round(micros / 1e6);
    if (seconds < 3600) return Math.floor(seconds / 60) + ' min ' + two(seconds % 60) + ' s';
    const minutes = Math.round(micros / 6e7);
    return Math.floor(minutes / 60) + ' h ' + two(minutes % 60) + ' min';
  };
  // As fine as the zoom asks for, so that two moments a pixel apart read differently.
  const moment = micros => {
    const pixel = (view.to - view.from) / 1000;
    if (view.to >= 6e7 && pixel >= 1e4) return time(micros);
    const digits = Math.min(6, Math.max(2, Math.ceil(6 - Math.log10(Math.max(pixel, 1)))));
    return (micros / 1e6).toFixed(digits) + ' s';
  };
  const bytes = number => {
    if (number < 1000) return number + ' B';
    const units = ['kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
    let unit = -1;
    do { number /= 1000; unit++; } while (number >= 999.95 && unit < units.length - 1);
    return number.toFixed(1) + ' ' + units[unit];
  };
  const label = (micros, step) => {
    const seconds = micros / 1e6, full = Math.floor(seconds + 1e-9), two = n => String(n).padStart(2, '0');
    if (micros === 0) return '0';
    if (step >= 864e8) return Math.floor(full / 86400) + ' d';
    if (step >= 36e8) return Math.floor(full / 3600) + ' h';
    if (full >= 3600 && step >= 1e6) return Math.floor(full / 3600) + ' h ' + two(Math.floor(full % 3600 / 60)) + ' min' + (step < 6e7 ? ' ' + two(full % 60) + ' s' : '');
    if (step >= 6e7) return full / 60 + ' min';
    if (full >= 600 && step >= 1e6) return Math.floor(full / 60) + ' min ' + two(full % 60) + ' s';
    if (step >= 1e6) return full + ' s';
    if (step >= 1e5) return seconds.toFixed(1) + ' s';
    if (step >= 1e4 && view.from >= 1e6) return seconds.toFixed(2) + ' s';
    if (step >= 1e3) return Math.round(seconds * 1e3) + ' ms';
    if (step >= 10) return (seconds * 1e3).toFixed(2) + ' ms';
    return Math.round(micros) + ' µs';
  };
  const tickStep = (long, most) => {
    const steps = [];
    for (let power = 1; power < 1e7; power *= 10) steps.push(power, 2 * power, 5 * power);
    for (const seconds of [10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400]) steps.push(seconds * 1e6);
    for (let days = 1; days < 1e8; days *= 10) steps.push(1728e8 * days, 432e9 * days, 864e9 * days);
    return steps.find(step => step * most >= long) || long;
  };

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
    if (run.steps.length) {
      const bottom = tall, unit = data.strip / Math.max(run.peak, 1);
      context.fillStyle = colours['r' + run.colour];
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

  let asked = 0, stale = false;
  function draw(all) {
    stale = stale || all;
    if (asked) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      if (stale) {
        const lines = grid();
        drawAxis(lines);
        runs.forEach(run => drawRun(run, lines));
      }
      stale = false;
      drawOver();
    });
  }

  function show(from, to) {
    let long = Math.min(Math.max(to - from, shortest), data.long);
    const middle = (from + to) / 2;
    from = Math.min(Math.max(middle - long / 2, 0), data.long - long);
    view = { from, to: from + long };
    draw(true);
  }
  const zoom = (factor, around) => {
    const share = (around - view.from) / (view.to - view.from), long = Math.min(Math.max((view.to - view.from) / factor, shortest), data.long);
    const from = around - share * long;
    show(from, from + long);
  };
  const move = share => { const by = (view.to - view.from) * share; show(view.from + by, view.to + by); };
  const centre = () => pointed ? pointed.moment : (view.from + view.to) / 2;

  // What is under the pointer.
  function find(run, left, top, wide) {
    const moment = view.from + left / wide * (view.to - view.from), reach = 3 / wide * (view.to - view.from);
    const found = { run, moment, task: null };
    const index = Math.floor(top / (run.row + data.gap)), row = run.rows[index];
    if (!row) return found;
    found.row = row;
    if (row.columns) {
      const column = row.columns[at(row.from, moment) - 1];
      if (column && moment < column.to) found.column = column;
      return found;
    }
    let i = at(row.to, moment);
    const apart = k => k < 0 || k >= row.from.length ? Infinity : Math.max(0, row.from[k] - moment, moment - row.to[k]);
    if (apart(i - 1) < apart(i)) i--;
    if (apart(i) <= reach) {
      found.span = i;
      found.task = row.task[i];
    }
    found.mark = row.marks.find(mark => Math.abs(mark[0] - moment) <= 2 * reach);
    return found;
  }
  const line = (words, name) => {
    const element = document.createElement(name || 'div');
    element.textContent = words;
    return element;
  };
  function phaseLine(phase, words) {
    const element = line('', 'div'), svg = document.createElementNS(SVG, 'svg'), box = document.createElementNS(SVG, 'rect');
    element.className = 'phase';
    for (const [key, value] of [['width', 20], ['height', 12]]) { svg.setAttribute(key, value); box.setAttribute(key, value); }
    box.setAttribute('class', 'p' + phase);
    svg.append(box);
    element.append(svg, line(words, 'span'));
    return element;
  }
  function say(found) {
    const { run, row } = found, lines = [];
    if (!row) {
      const step = run.steps.find(step => found.moment >= step.from && found.moment < step.to);
      if (!step) return null;
      lines.push(line(run.name, 'b'), line(`${Number.isInteger(step.level) ? step.level : step.level.toFixed(1)} of at most ${run.peak} tasks in progress`));
      return lines;
    }
    const lane = row.name.includes('–') ? `lanes ${row.name}` : `lane ${row.name}`;
    if (found.span != null) {
      const i = found.span, name = data.tasks[found.task], details = run.tasks[found.task];
      lines.push(line(`Task ${count(found.task + 1)}` + (name ? `: ${name}` : ''), 'b'));
      lines.push(phaseLine(row.phase[i], `${data.phases[row.phase[i]][0]} for ${time(row.to[i] - row.from[i])}`));
      lines.push(line(`from ${moment(row.from[i])} to ${moment(row.to[i])}`));
      let from = i, to = i;
      while (from > 0 && row.task[from - 1] === found.task) from--;
      while (to + 1 < row.task.length && row.task[to + 1] === found.task) to++;
      if (details) {
        const [outcome, size, attempts, said] = details, words = [outcome, `${time(row.to[to] - row.from[from])} in all`];
        if (size) words.push(bytes(size));
        if (attempts) words.push(`${attempts} attempt${attempts === 1 ? '' : 's'}`);
        lines.push(line(words.join(', ')));
        if (said) {
          const element = line(said);
          if (outcome !== 'done') element.className = 'bad';
          lines.push(element);
        }
      }
    } else if (found.column) {
      lines.push(line(`${moment(found.column.from)} to ${moment(Math.min(found.column.to, run.long))}`, 'b'));
      let busy = 0;
      for (let i = 0; i < found.column.shares.length; i += 2) {
        busy += found.column.shares[i + 1];
        lines.push(phaseLine(found.column.shares[i], `${data.phases[found.column.shares[i]][0]} ${found.column.shares[i + 1]} %`));
      }
      if (busy < 100) lines.push(line(`idle ${100 - busy} %`));
    } else if (found.moment <= run.long) {
      lines.push(line('idle', 'b'));
    } else {
      lines.push(line('this run is over', 'b'));
    }
    if (found.mark) {
      const [place, kind] = found.mark;
      if (kind === REPLACED) lines.push(line(`worker replaced at ${moment(place)}`));
      if (kind === TAKEN) lines.push(line(`result of task ${count(found.mark[2] + 1)} taken at ${moment(place)}`));
    }
    const where = line(`${run.name}, ${lane}`, 'small');
    where.style.display = 'block';
    lines.push(where);
    return lines;
  }
  function point(run, event) {
    const box = run.plot.getBoundingClientRect();
    pointed = find(run, event.clientX - box.left, event.clientY - box.top, box.width);
    const lines = say(pointed);
    tip.hidden = !lines;
    if (lines) {
      tip.replaceChildren(...lines);
      const { offsetWidth: wide, offsetHeight: tall } = tip;
      const left = event.clientX + 16 + wide > innerWidth - 8 ? event.clientX - wide - 16 : event.clientX + 16;
      const top = event.clientY + 18 + tall > innerHeight - 8 ? event.clientY - tall - 14 : event.clientY + 18;
      tip.style.left = Math.min(Math.max(8, left), innerWidth - wide - 8) + 'px';
      tip.style.top = Math.max(8, top) + 'px';
    }
    draw(false);
  }
  function leave() {
    pointed = null;
    tip.hidden = true;
    draw(false);
  }

  for (const run of runs) {
    if (run.long >= data.long / 2 || run.long <= 0) continue;
    const button = line('zoom to this run', 'button');
    button.type = 'button';
    button.className = 'fit';
    button.addEventListener('click', () => show(0, run.long));
    run.plot.closest('.run').querySelector('figcaption').append(button);
  }

  for (const run of runs) {
    const { plot } = run, fingers = new Map();
    let held = null;
    const under = event => {
      const box = plot.getBoundingClientRect();
      return view.from + (event.clientX - box.left) / box.width * (view.to - view.from);
    };
    plot.addEventListener('pointerdown', event => {
      if (event.button > 0) return;
      gantt.focus({ preventScroll: true, focusVisible: false });
      fingers.set(event.pointerId, event.clientX);
      held = { moment: under(event), x: event.clientX, moved: false };
      plot.setPointerCapture(event.pointerId);
      point(run, event);
    });
    plot.addEventListener('pointermove', event => {
      if (!fingers.has(event.pointerId)) return point(run, event);
      const before = [...fingers.values()];
      fingers.set(event.pointerId, event.clientX);
      const after = [...fingers.values()], box = plot.getBoundingClientRect();
      if (after.length === 2) {
        const apart = places => Math.max(8, Math.abs(places[0] - places[1])), middle = (after[0] + after[1]) / 2;
        tip.hidden = true;
        zoom(apart(after) / apart(before), view.from + (middle - box.left) / box.width * (view.to - view.from));
        held = null;
      } else if (held && (held.moved || Math.abs(event.clientX - held.x) > 3)) {
        held.moved = true;
        plot.classList.add('moving');
        const by = held.moment - under(event);
        tip.hidden = true;
        pointed = null;
        show(view.from + by, view.to + by);
      }
    });
    const release = event => {
      fingers.delete(event.pointerId);
      plot.classList.remove('moving');
      held = null;
    };
    plot.addEventListener('pointerup', release);
    plot.addEventListener('pointercancel', event => { release(event); leave(); });
    plot.addEventListener('pointerleave', event => { if (event.pointerType === 'mouse' && !fingers.size) leave(); });
    plot.addEventListener('dblclick', event => { event.preventDefault(); zoom(3, under(event)); });
    plot.addEventListener('wheel', event => {
      if (event.ctrlKey || event.metaKey || event.altKey) {
        event.preventDefault();
        zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 150), under(event));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        move((event.deltaX || event.deltaY) / plot.clientWidth);
      }
    }, { passive: false });
  }
  document.addEventListener('pointerdown', event => { if (!event.target.closest('.plot')) leave(); });
  addEventListener('scroll', () => { if (pointed) leave(); }, { passive: true });

  const actions = {
    in: () => zoom(2, centre()), out: () => zoom(.5, centre()),
    left: () => move(-.3), right: () => move(.3), all: () => show(0, data.long),
  };
  tools.addEventListener('click', event => {
    const button = event.target.closest('button');
    if (button) actions[button.dataset.do]();
  });
  const keys = { '+': 'in', '=': 'in', '-': 'out', _: 'out', ArrowLeft: 'left', ArrowRight: 'right', 0: 'all' };
  gantt.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') return leave();
    const long = view.to - view.from;
    if (event.key === 'Home') show(0, long);
    else if (event.key === 'End') show(data.long - long, data.long);
    else if (keys[event.key]) actions[keys[event.key]]();
    else return;
    event.preventDefault();
  });

  const redraw = () => { theme(); draw(true); };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  new ResizeObserver(redraw).observe(ticks);
  redraw();
})();
