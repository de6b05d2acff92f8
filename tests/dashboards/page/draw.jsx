// Draws one dashboard: `?dashboard=NAME&theme=dark&minutes=5`, and a variable as `var-NAME=VALUE`, as in Grafana's own addresses.
import * as D from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PanelChrome } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

import { prepared } from './fields.js';
import { Panel } from './panels.jsx';
import { frames } from './prometheus.js';
import { interpolated, variables } from './variables.js';

const asked = new URLSearchParams(location.search);
const WIDTH = Number(asked.get('width') ?? 1600);
const ROW = 38;
const GAP = 8;

async function drawn(panel, range, theme, replace) {
  try {
    const data = await frames(panel, range, replace);
    return { panel, frames: await prepared(panel, data, theme, replace) };
  } catch (error) {
    console.error(`panel ${panel.title}: ${error.message}`);
    return { panel, error };
  }
}

function Head({ dashboard, known, theme }) {
  const pill = { border: `1px solid ${theme.colors.border.medium}`, background: theme.colors.background.primary, borderRadius: 2, padding: '4px 8px', marginRight: 8 };
  const shown = ({ variable, values }) => (values.includes('$__all') ? 'All' : values.join(' + '));
  return (
    <div style={{ padding: '12px 8px 4px', height: 84, boxSizing: 'border-box', whiteSpace: 'nowrap', overflow: 'hidden' }}>
      <div style={{ fontSize: 18, marginBottom: 10 }}>{dashboard.title}</div>
      {Object.values(known).map((entry) => <span key={entry.variable.name} style={pill}><b>{entry.variable.label}</b>&ensp;{shown(entry)}</span>)}
      {dashboard.links.map((link) => <span key={link.url} style={{ ...pill, color: theme.colors.text.link }}>{link.title}</span>)}
    </div>
  );
}

async function main() {
  await initPluginTranslations('grafana-ui', []).catch(() => undefined);
  const theme = D.createTheme({ colors: { mode: asked.get('theme') ?? 'dark' } });
  const dashboard = await (await fetch(`/dashboards/${asked.get('dashboard')}.json`)).json();
  const chosen = [...asked].filter(([name]) => name.startsWith('var-')).map(([name, value]) => [name.slice(4), [value]]);
  const known = variables(dashboard, Object.fromEntries(chosen));
  const minutes = Number(asked.get('minutes') ?? 5);
  const to = Number(asked.get('to') ?? Date.now());
  // Grafana asks for no finer step than its data source's "scrape interval", 15 s unless set otherwise.
  const range = { from: to - minutes * 60_000, to, step: Math.max(15, Math.round(minutes / 8)) };
  const times = { __rate_interval: '1m', __interval: '15s', __range: `${minutes}m` };
  const replace = (text) => interpolated(text, known, times);
  const panels = await Promise.all(dashboard.panels.map((panel) => drawn(panel, range, theme, replace)));

  const unit = (WIDTH - GAP) / 24;
  const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const timeRange = { from: D.dateTime(range.from), to: D.dateTime(range.to), raw: { from: `now-${minutes}m`, to: 'now' } };
  const place = ({ x, y, w, h }) => ({ position: 'absolute', left: GAP + x * unit, top: 84 + y * ROW, width: w * unit - GAP, height: h * ROW - GAP });
  const canvas = { position: 'relative', width: WIDTH, height: 84 + bottom * ROW + GAP, background: theme.colors.background.canvas, color: theme.colors.text.primary };
  createRoot(document.getElementById('root')).render(
    <D.ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={canvas}>
        <Head dashboard={dashboard} known={known} theme={theme} />
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
