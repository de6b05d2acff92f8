// Replaces variables in queries and links as Grafana does.

const ALL = '$__all';

// Grafana escapes a selected value twice: for the regular expression and for the PromQL string around it.
const escape = (value) => String(value).replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]'+?.()|]/g, '\\\\$&');

/** The variables of a dashboard with their default values, or those in `selected`. */
export function variables(dashboard, selected) {
  const entries = dashboard.templating.list.map((variable) => {
    const value = selected[variable.name] ?? variable.current?.value;
    return [variable.name, { variable, values: [value].flat() }];
  });
  return Object.fromEntries(entries);
}

function inQuery({ variable, values }) {
  if (values.includes(ALL)) return variable.allValue;
  if (!variable.multi) return values[0];
  const list = values.map(escape);
  return list.length === 1 ? list[0] : `(${list.join('|')})`;
}

/** Replaces the variables of a query. An unknown one stays, and Prometheus rejects the query. */
export function interpolate(text, known, times) {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => {
    const name = braced ?? bare;
    if (name in times) return times[name];
    return name in known ? inQuery(known[name]) : whole;
  });
}
