// The pages in a browser: node browser.mjs check|shoot BASE DIRECTORY < JSON. The JSON lists the pages: [{"name": …, "path": …}].
// `check` prints what is wrong, as JSON, and writes axe's report into the directory; `shoot` writes pictures.
// The packages are in .tools/browser/, by tests/tools/install.sh.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const installed = createRequire(path.join(import.meta.dirname, '../../.tools/browser/package.json'));
const { chromium } = installed('playwright-core');
const axe = fs.readFileSync(installed.resolve('axe-core/axe.min.js'), 'utf8');

const [command, base, directory] = process.argv.slice(2);
const pages = JSON.parse(fs.readFileSync(0, 'utf8'));
const WIDTHS = [390, 1280];
const THEMES = ['light', 'dark'];
/// Parts of the standards that axe tests, and its best practices.
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/** Opens a page. The security policy blocks scripts of others, so axe runs in a context that bypasses it. */
async function open(url, options, problems) {
  const context = await browser.newContext({ viewport: { width: options.width, height: options.width === 390 ? 844 : 800 }, colorScheme: options.theme, javaScriptEnabled: options.javaScript ?? true, bypassCSP: options.bypass ?? false });
  const page = await context.newPage();
  const report = (what) => problems.push(`${url} ${JSON.stringify(options)}: ${what}`);
  page.on('pageerror', (error) => report(error.message));
  // A page with status 404 is tested too, which the browser logs.
  page.on('console', (message) => { if (message.type() === 'error' && !/status of 40[04]/.test(message.text())) report(message.text()); });
  page.on('request', (request) => { if (!request.url().startsWith(base)) report(`requests ${request.url()}`); });
  const response = await page.goto(url);
  return { page, report, status: response?.status(), close: () => context.close() };
}

async function check() {
  const problems = [];
  const reports = [];
  for (const { name, path: address, status = 200 } of pages) {
    for (const theme of THEMES) {
      for (const width of WIDTHS) {
        const opened = await open(base + address, { theme, width, bypass: true }, problems);
        const { page, report } = opened;
        if (opened.status !== status) report(`status ${opened.status}`);
        await page.evaluate(axe);
        await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
        const result = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), TAGS);
        reports.push({ name, theme, width, passes: result.passes.length, violations: result.violations.length, incomplete: result.incomplete.map((it) => it.id) });
        for (const violation of result.violations) report(`${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`).join('; ')}`);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (overflow > 0) report(`is ${overflow} pixels too wide`);
        await opened.close();
      }
    }
  }
  // Without tokens there is nothing to do.
  const behaviour = await behave(problems);
  fs.writeFileSync(path.join(directory, 'axe.json'), JSON.stringify(reports, undefined, 1));
  return { problems, behaviour, checked: reports.length, passes: Math.min(...reports.map((report) => report.passes)) };
}

/** Whether the page reaches such an address, and is loaded then: a click returns before its navigation ends. */
function reaches(page, matches) {
  return page.waitForURL(matches).then(() => true, () => false);
}

/** What a person does, with and without a script. Returns what was seen. */
async function behave(problems) {
  const seen = {};
  const rows = (page) => page.locator('tbody tr').count();

  const scripted = await open(`${base}/`, { theme: 'light', width: 1280 }, problems);
  seen.all = await rows(scripted.page);
  if (seen.all === 0) return seen;
  seen.source = await scripted.page.locator('a.quiet').first().innerText();
  await scripted.page.keyboard.press('/');
  seen.focused = await scripted.page.evaluate(() => document.activeElement.id);
  const name = await scripted.page.locator('a.token').last().innerText();
  await scripted.page.keyboard.type(name);
  const query = `?${new URLSearchParams({ q: name })}`;
  seen.url = await reaches(scripted.page, (url) => url.search === query);
  seen.found = await rows(scripted.page);
  seen.foundName = (await scripted.page.locator('a.token').first().innerText()) === name;
  // Longer than new results would take, if the press asked for any.
  await scripted.page.locator('a.token').first().click({ delay: 300 });
  seen.token = await reaches(scripted.page, (url) => url.pathname.includes('/token')) && (await scripted.page.locator('h1').innerText()) === name;
  await scripted.close();

  // Keyboard only: the first stop skips to the content.
  const keyboard = await open(`${base}/`, { theme: 'dark', width: 390 }, problems);
  await keyboard.page.keyboard.press('Tab');
  seen.skip = await keyboard.page.evaluate(() => document.activeElement.getAttribute('href'));
  await keyboard.page.keyboard.press('Enter');
  await reaches(keyboard.page, (url) => url.hash === seen.skip);
  seen.skipped = await keyboard.page.evaluate(() => document.activeElement.id);
  seen.cards = await keyboard.page.evaluate(() => getComputedStyle(document.querySelector('tbody tr')).display);
  seen.roles = await keyboard.page.getByRole('cell').count() > 0 && await keyboard.page.getByRole('columnheader').count() > 0;
  await keyboard.close();

  const plain = await open(`${base}/`, { theme: 'light', width: 1280, javaScript: false }, problems);
  await plain.page.locator('#q').fill(name);
  await plain.page.locator('form button').first().click();
  seen.plainQuery = await reaches(plain.page, (url) => url.searchParams.get('q') === name);
  seen.plainFound = await rows(plain.page);
  const found = plain.page.url();
  await plain.page.locator('thead a').first().click();
  await reaches(plain.page, (url) => url.href !== found);
  seen.plainSorted = await plain.page.locator('th[aria-sort]').innerText();
  await plain.close();
  return seen;
}

async function shoot() {
  const problems = [];
  fs.mkdirSync(directory, { recursive: true });
  for (const { name, path: address, full = false, themes = THEMES } of pages) {
    for (const theme of themes) {
      for (const width of WIDTHS) {
        const opened = await open(base + address, { theme, width }, problems);
        const file = path.join(directory, `${themes.length > 1 ? `page-${name}-${width}-${theme}` : `${name}-${width}`}.png`);
        await opened.page.screenshot({ path: file, fullPage: full });
        await opened.close();
      }
    }
  }
  return { problems };
}

const result = await (command === 'shoot' ? shoot() : check());
await browser.close();
console.log(JSON.stringify(result));
