// Renders every dashboard, dark and light, to PNG files: node shoot.mjs PROMETHEUS DIRECTORY MINUTES [NAME=VALUE…]
// Exits with 1 if a panel or the page reports an error.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { chromium } from 'playwright-core';

const here = import.meta.dirname;
const [prometheus, directory, minutes, ...more] = process.argv.slice(2);
const dashboards = path.join(here, '../../dashboards');
// Grafana's typeface, from Debian's package fonts-inter.
const FONTS = '/usr/share/fonts/opentype/inter';
const KINDS = { '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json' };

// One origin for page, dashboards and Prometheus, so that the browser allows the requests.
const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://here');
  if (pathname.startsWith('/prometheus/')) {
    const upstream = http.request(prometheus + pathname.slice('/prometheus'.length), { method: request.method, headers: request.headers }, (proxied) => {
      response.writeHead(proxied.statusCode, proxied.headers);
      proxied.pipe(response);
    });
    request.pipe(upstream);
    return;
  }
  const file = pathname.startsWith('/public/fonts/') ? path.join(FONTS, path.basename(pathname, '.woff2') + '.otf') : pathname.startsWith('/dashboards/') ? path.join(dashboards, path.basename(pathname)) : path.join(here, 'out', path.basename(pathname) || 'index.html');
  if (!fs.existsSync(file)) {
    // The icons are part of Grafana's server, not of its libraries.
    if (pathname.endsWith('.svg')) return response.writeHead(200, { 'content-type': 'image/svg+xml' }).end('<svg xmlns="http://www.w3.org/2000/svg"/>');
    console.error(`not found: ${pathname}`);
    return response.writeHead(404).end();
  }
  response.writeHead(200, { 'content-type': KINDS[path.extname(file)] ?? 'application/octet-stream' });
  fs.createReadStream(file).pipe(response);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
let failed = false;
fs.mkdirSync(directory, { recursive: true });
for (const file of fs.readdirSync(dashboards).filter((name) => name.endsWith('.json'))) {
  const name = path.basename(file, '.json');
  for (const theme of ['dark', 'light']) {
    const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
    page.on('pageerror', (error) => { failed = true; console.error(`${name}: ${error.stack}`); });
    page.on('console', (message) => { if (message.type() === 'error') { failed = true; console.error(`${name}: ${message.text().slice(0, 600)}`); } });
    const parameters = new URLSearchParams({ dashboard: name, theme, minutes, ...Object.fromEntries(more.map((pair) => pair.split('='))) });
    await page.goto(`http://127.0.0.1:${server.address().port}/?${parameters}`);
    await page.waitForFunction(() => document.title === 'drawn', undefined, { timeout: 60_000 });
    // Tables render only visible rows.
    const { width, height } = await page.locator('#root > div').boundingBox();
    await page.setViewportSize({ width, height: Math.ceil(height) });
    await page.waitForTimeout(1500);
    const png = path.join(directory, `${name.replace('token-expiry-', '')}-${theme}.png`);
    await page.locator('#root').screenshot({ path: png });
    console.log(`${png} ${Math.round(fs.statSync(png).size / 1024)} kB`);
    await page.close();
  }
}
await browser.close();
server.close();
process.exit(failed ? 1 : 0);
