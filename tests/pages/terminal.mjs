// Pictures of a terminal: node terminal.mjs DIRECTORY < JSON. The JSON lists them: [{"name": …, "command": …, "output": FILE}], where FILE
// has what the command wrote to a terminal. Fails on a control sequence that it does not show.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const installed = createRequire(path.join(import.meta.dirname, '../../.tools/browser/package.json'));
const { chromium } = installed('playwright-core');

/// Colours of a dark terminal.
const STYLES = { 1: 'font-weight: 700; color: #ffffff', 31: 'color: #ff7b72', 33: 'color: #e3b341' };

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function html(output) {
  let open = false;
  const parts = output.replaceAll('\r\n', '\n').split(/\x1b\[(\d*)m/).map((part, number) => {
    if (number % 2 === 0) {
      if (/[\x00-\x09\x0b-\x1f\x7f]/.test(part)) throw new Error(`a control character in ${JSON.stringify(part)}`);
      return escaped(part);
    }
    const close = open ? '</span>' : '';
    open = !['', '0'].includes(part);
    if (open && !STYLES[part]) throw new Error(`unknown colour ${part}`);
    return close + (open ? `<span style="${STYLES[part]}">` : '');
  });
  return parts.join('').trimEnd();
}

const document = (command, output) => `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><body style="margin: 0; background: #0d1117">
<pre style="display: inline-block; margin: 0; padding: 18px 22px; background: #0d1117; color: #c9d1d9; font: 14px/1.45 'DejaVu Sans Mono', monospace"
><span style="color: #7ee787">$</span> <span style="color: #ffffff">${escaped(command)}</span>\n${html(output)}</pre></body></html>`;

const [directory] = process.argv.slice(2);
fs.mkdirSync(directory, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
for (const { name, command, output } of JSON.parse(fs.readFileSync(0, 'utf8'))) {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  await page.setContent(document(command, fs.readFileSync(output, 'utf8')));
  await page.locator('pre').screenshot({ path: path.join(directory, `${name}.png`) });
  await page.close();
}
await browser.close();
