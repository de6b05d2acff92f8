// Converts Prometheus responses to Grafana's data frames, like Grafana's Prometheus data source.
import { toDataFrame } from '@grafana/data';

const number = (text) => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

const legend = (format, labels) => (format ? format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? '') : JSON.stringify(labels));

async function query(path, parameters) {
  const response = await fetch(`/prometheus/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(parameters) });
  const json = await response.json();
  if (json.status !== 'success') throw new Error(`${json.error}\n${parameters.query}`);
  return json.data.result;
}

// An empty result is a frame with time and value but no rows, if another query of the panel has rows.
function table(target, rows, valueName) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.metric)))].sort();
  const column = (name) => ({ name, type: 'string', config: { filterable: true }, values: rows.map((row) => row.metric[name] ?? '') });
  return toDataFrame({
    refId: target.refId,
    meta: { type: 'numeric-long' },
    fields: [
      { name: 'Time', type: 'time', values: rows.map((row) => row.value[0] * 1000) },
      ...names.map(column),
      { name: valueName, type: 'number', values: rows.map((row) => number(row.value[1])) },
    ],
  });
}

function series(target, row) {
  const points = row.values ?? [row.value];
  const config = { displayNameFromDS: legend(target.legendFormat, row.metric) };
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: 'time', values: points.map(([time]) => time * 1000) },
      { name: 'Value', type: 'number', labels: row.metric, config, values: points.map(([, value]) => number(value)) },
    ],
  });
}

/** The frames of a panel; none if all results are empty. */
export async function frames(panel, range, replace) {
  const results = await Promise.all(
    panel.targets.map(async (target) => {
      const expr = replace(target.expr);
      const parameters = target.instant ? { query: expr, time: range.to / 1000 } : { query: expr, start: range.from / 1000, end: range.to / 1000, step: range.step };
      return { target, rows: await query(target.instant ? 'query' : 'query_range', parameters) };
    }),
  );
  const tables = results.filter(({ target }) => target.format === 'table');
  if (tables.length > 0) {
    if (tables.every(({ rows }) => rows.length === 0)) return [];
    return tables.map(({ target, rows }) => table(target, rows, tables.length > 1 ? `Value #${target.refId}` : 'Value'));
  }
  return results.flatMap(({ target, rows }) => rows.map((row) => series(target, row)));
}
