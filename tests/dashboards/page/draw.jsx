// Renders one dashboard: `?dashboard=NAME&theme=dark&minutes=5`, with variables as `var-NAME=VALUE`, as in Grafana's URLs.
import * as D from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PanelChrome } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

import { prepare } from './fields.js';
import { Panel } from './panels.jsx';
import { frames } from './prometheus.js';
import { interpolate, variables } from './variables.js';

const parameters = new URLSearchParams(location.search);
const WIDTH = Number(parameters.get('width') ?? 1600);
const ROW = 38;
const GAP = 8;

async function load(panel, range, theme, replace) {
  try {
    const data = await frames(panel, range, replace);
    return { panel, frames: await prepare(panel, data, theme, replace) };
  } catch (error) {
    console.error(`panel ${panel.title}: ${error.message}`);
    return { panel, error };
  }
}

function Header({ dashboard, values, theme }) {
  const pill = { border: `1px solid ${theme.colors.border.medium}`, background: theme.colors.background.primary, borderRadius: 2, padding: '4px 8px', marginRight: 8 };
  const label = ({ values }) => (values.includes('$__all') ? 'All' : values.join(' + '));
  return (
    <div style={{ padding: '12px 8px 4px', height: 84, boxSizing: 'border-box', whiteSpace: 'nowrap', overflow: 'hidden' }}>
      <div style={{ fontSize: 18, marginBottom: 10 }}>{dashboard.title}</div>
      {Object.values(values).map((entry) => <span key={entry.variable.name} style={pill}><b>{entry.variable.label}</b>&ensp;{label(entry)}</span>)}
      {dashboard.links.map((link) => <span key={link.url} style={{ ...pill, color: theme.colors.text.link }}>{link.title}</span>)}
    </div>
  );
}

async function main() {
  await initPluginTranslations('grafana-ui', []).catch(() => undefined);
  const theme = D.createTheme({ colors: { mode: parameters.get('theme') ?? 'dark' } });
  const dashboard = await (await fetch(`/dashboards/${parameters.get('dashboard')}.json`)).json();
  const selected = [...parameters].filter(([name]) => name.startsWith('var-')).map(([name, value]) => [name.slice(4), [value]]);
  const values = variables(dashboard, Object.fromEntries(selected));
  const minutes = Number(parameters.get('minutes') ?? 5);
  const to = Number(parameters.get('to') ?? Date.now());
  // Grafana uses at least the "scrape interval" of its data source as the step, by default 15 s.
  const range = { from: to - minutes * 60_000, to, step: Math.max(15, Math.round(minutes / 8)) };
  const times = { __rate_interval: '1m', __interval: '15s', __range: `${minutes}m` };
  const replace = (text) => interpolate(text, values, times);
  const panels = await Promise.all(dashboard.panels.map((panel) => load(panel, range, theme, replace)));

  const unit = (WIDTH - GAP) / 24;
  const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const timeRange = { from: D.dateTime(range.from), to: D.dateTime(range.to), raw: { from: `now-${minutes}m`, to: 'now' } };
  const place = ({ x, y, w, h }) => ({ position: 'absolute', left: GAP + x * unit, top: 84 + y * ROW, width: w * unit - GAP, height: h * ROW - GAP });
  const canvas = { position: 'relative', width: WIDTH, height: 84 + bottom * ROW + GAP, background: theme.colors.background.canvas, color: theme.colors.text.primary };
  createRoot(document.getElementById('root')).render(
    <D.ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={canvas}>
        <Header dashboard={dashboard} values={values} theme={theme} />
        {panels.map(({ panel, frames, error }) => (
          <div key={panel.id} style={place(panel.gridPos)}>
            <PanelChrome title={panel.title} description={panel.description} padding={panel.type === 'table' ? 'none' : 'md'} width={place(panel.gridPos).width} height={place(panel.gridPos).height}>
              {(width, height) => (error ? <pre>{String(error)}</pre> : <Panel panel={panel} frames={frames} width={width} height={height} range={timeRange} theme={theme} replace={replace} />)}
            </PanelChrome>
          </div>
        ))}
      </div>
    </D.ThemeContext.Provider>,
  );
  document.title = 'drawn';
}

main().catch((error) => console.error(error.stack));
