// Numbers in words, as the rest of the page says them. `view` is the stretch of time that is shown, in
// microseconds.

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
