// What Grafana puts in the place of a variable in a query and in a link.

const ALL = '$__all';

// Grafana escapes a chosen value twice: for the regular expression, and for the string of PromQL around it.
const escaped = (value) => String(value).replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]'+?.()|]/g, '\\\\$&');

/** The variables of a dashboard as they stand in its JSON, with those of `chosen` in their place. */
export function variables(dashboard, chosen) {
  const entries = dashboard.templating.list.map((variable) => {
    const value = chosen[variable.name] ?? variable.current?.value;
    return [variable.name, { variable, values: [value].flat() }];
  });
  return Object.fromEntries(entries);
}

function inQuery({ variable, values }) {
  if (values.includes(ALL)) return variable.allValue;
  if (!variable.multi) return values[0];
  const list = values.map(escaped);
  return list.length === 1 ? list[0] : `(${list.join('|')})`;
}

/** A query with its variables replaced. One that is not known stays, and Prometheus refuses it. */
export function interpolated(text, known, times) {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => {
    const name = braced ?? bare;
    if (name in times) return times[name];
    return name in known ? inQuery(known[name]) : whole;
  });
}
