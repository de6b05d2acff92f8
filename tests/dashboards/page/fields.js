// What Grafana's core registers at its start and its libraries need: the options of a field, and the transformations.
import * as D from '@grafana/data';

const PLAIN = ['unit', 'decimals', 'min', 'max', 'displayName', 'noValue', 'color', 'links', 'filterable', 'description'];
const CUSTOM = [
  'align', 'axisBorderShow', 'axisLabel', 'axisSoftMax', 'barAlignment', 'barWidthFactor', 'cellOptions', 'drawStyle', 'fillOpacity', 'hideFrom', 'inspect',
  'lineInterpolation', 'lineWidth', 'minWidth', 'showPoints', 'spanNulls', 'stacking', 'thresholdsStyle', 'width', 'wrapText',
];

const option = (path, more = {}) => ({ id: path, path, name: path, editor: () => null, override: () => null, process: (value) => value, shouldApply: () => true, ...more });

const registry = new D.FieldConfigOptionsRegistry(() => [
  ...PLAIN.map((path) => option(path)),
  option('thresholds', { process: D.thresholdsOverrideProcessor }),
  option('mappings', { process: D.valueMappingsOverrideProcessor }),
  ...CUSTOM.map((path) => option(`custom.${path}`, { isCustom: true, path })),
]);

D.standardTransformersRegistry.setInit(() =>
  Object.values(D.standardTransformers)
    .filter((transformer, at, all) => all.findIndex(({ id }) => id === transformer.id) === at)
    .map((transformer) => ({ id: transformer.id, name: transformer.name, transformation: async () => transformer, editor: () => null })),
);

const transformed = (transformations, data, interpolate) =>
  new Promise((resolve, reject) => D.transformDataFrame(transformations, data, { interpolate }).subscribe({ next: resolve, error: reject }));

/** The frames of a panel, transformed, and with its field configuration applied. An option that is not known is an error. */
export async function prepared(panel, data, theme, interpolate) {
  for (const { properties } of panel.fieldConfig.overrides) {
    for (const { id } of properties) if (!registry.getIfExists(id)) throw new Error(`the renderer does not know the option ${id}`);
  }
  for (const id of Object.keys(panel.fieldConfig.defaults.custom ?? {})) {
    if (!registry.getIfExists(`custom.${id}`)) throw new Error(`the renderer does not know the option custom.${id}`);
  }
  const frames = await transformed(panel.transformations ?? [], data, interpolate);
  const configured = D.applyFieldOverrides({ data: frames, fieldConfig: panel.fieldConfig, replaceVariables: interpolate, theme, timeZone: 'utc', fieldConfigRegistry: registry });
  D.cacheFieldDisplayNames(configured);
  return configured;
}
