// Bundles the page, with Grafana's libraries, into out/.
import fs from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';

const here = import.meta.dirname;

// esbuild resolves the default export of a CommonJS package differently if a *.mjs file imports it. Grafana's libraries are
// *.mjs files that expect the behaviour for *.js, so this plugin presents them to esbuild as *.js.
const asScript = {
  name: 'mjs-as-js',
  setup(build) {
    build.onResolve({ filter: /.*/ }, async ({ path: requested, kind, importer, resolveDir, pluginData }) => {
      if (pluginData === 'seen') return undefined;
      const found = await build.resolve(requested, { kind, importer: importer.replace(/\.mjs\.js$/, '.mjs'), resolveDir, pluginData: 'seen' });
      const renamed = found.errors.length === 0 && !found.external && found.path.endsWith('.mjs');
      return renamed ? { ...found, path: `${found.path}.js`, pluginData: undefined } : found;
    });
    build.onLoad({ filter: /\.mjs\.js$/ }, ({ path: file }) => ({ contents: fs.readFileSync(file.slice(0, -3), 'utf8'), loader: 'js', resolveDir: path.dirname(file) }));
  },
};

await esbuild.build({
  entryPoints: [path.join(here, 'page/draw.jsx')],
  outdir: path.join(here, 'out'),
  bundle: true,
  jsx: 'automatic',
  plugins: [asScript],
  loader: { '.svg': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl' },
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  logLevel: 'warning',
});
fs.copyFileSync(path.join(here, 'page/index.html'), path.join(here, 'out/index.html'));
