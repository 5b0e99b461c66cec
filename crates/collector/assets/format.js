// Formats numbers for people.

export function rate(value) {
  if (value < 0.01) return "<0.01/s";
  if (value < 9.995) return `${+value.toFixed(2)}/s`;
  if (value < 9999.5) return `${+value.toFixed(value < 99.95 ? 1 : 0)}/s`;
  return `${+(value / 1000).toFixed(1)}k/s`;
}

export function share(value) {
  const percent = value * 100;
  if (percent > 0 && percent < 0.1) return "<0.1 %";
  return `${+percent.toFixed(percent < 9.95 ? 1 : 0)} %`;
}

export function duration(value) {
  if (value >= 999.5) return `${+(value / 1000).toFixed(value < 9995 ? 2 : 1)} s`;
  return `${+value.toFixed(value < 9.95 ? 1 : 0)} ms`;
}
