// Scales and ticks of charts. Pure.

// A scale from [a, b] to [from, to]; of a single value, the middle.
export const linear = (a, b, from, to) => (x) => (a === b ? (from + to) / 2 : from + ((x - a) / (b - a)) * (to - from))
export const logarithmic = (a, b, from, to) => { const f = linear(Math.log(a), Math.log(b), from, to); return (x) => f(Math.log(x)) }

// Round values in [a, b], about so many.
export function ticks(a, b, about = 5) {
  if (!(b > a)) return [a]
  const rough = (b - a) / about, power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].find((s) => s * power >= rough) * power
  const out = []
  for (let k = Math.ceil(a / step - 1e-9); k * step <= b * (1 + 1e-12) + 1e-12; k++) out.push(+(k * step).toPrecision(12))
  return out
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000]

// Seconds from 0 to s at which a clock would have its marks, about so many.
export function timeTicks(s, about = 6) {
  const step = steps.find((x) => s / x <= about) ?? Math.ceil(s / about / 86400) * 86400
  const out = []
  for (let t = 0; t <= s; t += step) out.push(t)
  return out
}

// A number with so many digits that count, without noise.
export const short = (x, digits = 4) => (Number.isInteger(x) && Math.abs(x) < 1e7 ? String(x) : String(+x.toPrecision(digits)))
