// Registers the field options and transformations that Grafana's core registers at startup and its libraries need.
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

const transform = (transformations, data, interpolate) =>
  new Promise((resolve, reject) => D.transformDataFrame(transformations, data, { interpolate }).subscribe({ next: resolve, error: reject }));

/** Applies the transformations and field configuration of a panel. An unknown option is an error. */
export async function prepare(panel, data, theme, interpolate) {
  for (const { properties } of panel.fieldConfig.overrides) {
    for (const { id } of properties) if (!registry.getIfExists(id)) throw new Error(`the renderer does not know the option ${id}`);
  }
  for (const id of Object.keys(panel.fieldConfig.defaults.custom ?? {})) {
    if (!registry.getIfExists(`custom.${id}`)) throw new Error(`the renderer does not know the option custom.${id}`);
  }
  const frames = await transform(panel.transformations ?? [], data, interpolate);
  const configured = D.applyFieldOverrides({ data: frames, fieldConfig: panel.fieldConfig, replaceVariables: interpolate, theme, timeZone: 'utc', fieldConfigRegistry: registry });
  D.cacheFieldDisplayNames(configured);
  return configured;
}
