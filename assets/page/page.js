// Chooses the stretch of time that is shown, and says what is under the pointer.

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
// At the start, what happened first is what one wants to see closer: there all runs have something.
const centre = () => pointed ? pointed.moment : view.from <= 0 ? 0 : (view.from + view.to) / 2;

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
