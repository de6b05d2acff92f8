// Renders each panel type with the component that Grafana uses.
import * as D from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater, preparePlotFrame } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

function Empty({ panel }) {
  const style = { display: 'flex', height: '100%', alignItems: 'center', justifyContent: 'center', textAlign: 'center', padding: 8, whiteSpace: 'normal' };
  return <div style={style}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
}

function Single({ panel, frames, width, height, theme, replace }) {
  const { options, fieldConfig } = panel;
  const values = D.getFieldDisplayValues({ fieldConfig, reduceOptions: options.reduceOptions, replaceVariables: replace, theme, data: frames, timeZone: 'utc', sparkline: false });
  const render = ({ value, width, height }) =>
    panel.type === 'bargauge' ? (
      <BarGauge value={value.display} field={value.field} width={width} height={height} theme={theme} orientation={options.orientation} displayMode={options.displayMode} />
    ) : (
      <BigValue theme={theme} width={width} height={height} value={value.display} count={values.length} colorMode={options.colorMode} graphMode={options.graphMode}
        justifyMode={options.justifyMode} textMode={options.textMode} wideLayout={options.wideLayout} />
    );
  return <VizRepeater source={values} getValues={() => values} width={width} height={height} renderCounter={1} orientation={options.orientation} itemSpacing={3} renderValue={render} />;
}

function Series({ panel, frames, width, height, range }) {
  return <TimeSeries frames={frames} structureRev={1} timeRange={range} timeZone="utc" width={width} height={height} legend={panel.options.legend} options={panel.options} />;
}

// Like Grafana's panel "Trend": a time series with a numeric x axis.
function Trend({ panel, frames, width, height, range }) {
  const { xField } = panel.options;
  const x = frames[0].fields.find((field) => D.getFieldDisplayName(field, frames[0], frames) === xField);
  if (frames.length !== 1 || x?.type !== 'number' || x.values.some((value, at) => at > 0 && value <= x.values[at - 1])) throw new Error(`no ascending numbers in ${xField}`);
  const aligned = (all, dimensions) => preparePlotFrame(all, { ...dimensions, x: (field) => field.name === x.name });
  return <TimeSeries frames={frames} structureRev={1} timeRange={range} timeZone="utc" width={width} height={height} legend={panel.options.legend} options={panel.options} preparePlotFrame={aligned} />;
}

function Table({ panel, frames, width, height, range }) {
  const { options, fieldConfig } = panel;
  return <TableNG data={frames[0]} width={width} height={height} noHeader={!options.showHeader} sortBy={options.sortBy} cellHeight={options.cellHeight}
    fieldConfig={fieldConfig} timeRange={range} noValue={fieldConfig.defaults.noValue} structureRev={1} />;
}

const TYPES = { bargauge: Single, stat: Single, table: Table, timeseries: Series, trend: Trend };

/** The content of a panel. */
export function Panel(props) {
  const Type = TYPES[props.panel.type];
  if (!Type) throw new Error(`the renderer does not know the panel ${props.panel.type}`);
  const rows = props.frames.some((frame) => frame.length > 0);
  return rows || props.panel.type === 'stat' ? <Type {...props} /> : <Empty panel={props.panel} />;
}
