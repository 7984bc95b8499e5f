import { execFileSync } from 'node:child_process';

import type { Locator, Page } from '@playwright/test';

import { expect, test } from './fixtures';
import { MINUTE, openPanel, row, tab } from './panel';
import { shoot } from './steps';

// Goes on from story.spec.ts, which runs before it on the same server: `diabetes` is there.
test.describe.configure({ mode: 'serial' });

/** Press a button of the environment's row. */
async function act(page: Page, action: string) {
  await openPanel(page);
  const environment = row(page, 'Environments', 'diabetes');
  await environment.hover();
  await environment
    .getByRole('button', { name: `${action}: diabetes` })
    .click({ timeout: 30_000 });
}

test('a notebook opened from the row runs in the container', async ({
  page
}) => {
  test.setTimeout(3 * MINUTE);
  await act(page, 'New notebook');
  const notebook = page.locator('.jp-NotebookPanel:visible');
  await expect(
    notebook.getByRole('button', { name: 'diabetes r1' })
  ).toBeVisible({ timeout: MINUTE });
  const panel = await openPanel(page);
  await expect(panel.getByText(/ · 1 container$/)).toBeVisible({
    timeout: 30_000
  });
  await notebook.locator('.cm-content').first().click();
  await page.keyboard.type('import sys; print(sys.prefix)');
  await page.keyboard.press('Shift+Enter');
  await expect(notebook.locator('.jp-OutputArea-output').first()).toHaveText(
    '/opt/env',
    { timeout: MINUTE }
  );
  await shoot(page, 'new-notebook');
});

test('an edited environment becomes its second revision', async ({ page }) => {
  test.setTimeout(6 * MINUTE);
  await act(page, 'Edit');
  const form = page.locator('.jp-MLOpsForm');
  const name = form.getByLabel('Name', { exact: true });
  await expect(name).toHaveValue('diabetes');
  await expect(name).toBeDisabled();
  await expect(form.getByLabel('Description')).toHaveValue(
    'Tables, models and plots'
  );
  await expect(form.getByLabel('Base', { exact: true })).toHaveValue('debian');
  const python = form.getByLabel('Python packages');
  await expect(python).toHaveValue('pandas\nscikit-learn\nmatplotlib');
  await python.press('Control+End');
  await python.pressSequentially('\ntabulate');
  await expect(form).toContainText('4 Python packages asked for');
  await shoot(page, 'edit');
  await form.getByRole('button', { name: 'Build revision 2' }).click();
  const build = page.locator('.jp-MLOpsOperation');
  await expect(build.getByText(/done/)).toBeVisible({ timeout: 5 * MINUTE });
  await expect(row(page, 'Environments', 'diabetes')).toContainText('r2');
  await expect(build.locator('pre')).toContainText('tabulate');
  await shoot(page, 'built');
});

test('a build that is cancelled leaves nothing', async ({ page, request }) => {
  test.setTimeout(5 * MINUTE);
  const { owner } = await (await request.get('/mlops/settings')).json();
  const inEngine = (...command: string[]) =>
    execFileSync('docker', [
      ...command,
      `--filter=label=io.jupyter-mlops.owner=${owner}`
    ])
      .toString()
      .split('\n')
      .sort();
  const images = inEngine('images', '-aq');

  await act(page, 'Edit');
  const form = page.locator('.jp-MLOpsForm');
  await form.getByText(/^More: variables, /).click();
  // It runs until somebody ends it.
  await form.getByLabel('Setup script').fill('sleep infinity');
  await form.getByRole('button', { name: 'Build revision 3' }).click();
  const build = page.locator('.jp-MLOpsOperation');
  await expect(build.locator('.jp-MLOpsOperation-phases')).toContainText(
    'setup',
    { timeout: 3 * MINUTE }
  );
  const environment = row(page, 'Environments', 'diabetes');
  await expect(environment.getByRole('progressbar')).toBeVisible();
  await environment.hover();
  await shoot(page, 'building');
  await act(page, 'Cancel');
  await expect(build.getByText(/^cancelled/)).toBeVisible({ timeout: MINUTE });
  await expect(build.getByRole('button', { name: 'Cancel' })).toHaveCount(0);
  await expect(environment.getByRole('progressbar')).toHaveCount(0);
  await expect(environment).toContainText('r2');
  await shoot(page, 'cancelled');

  await act(page, 'Edit');
  await expect(
    form.getByRole('button', { name: 'Build revision 3' })
  ).toBeVisible();
  // What was typed is still there, to be changed and built.
  await expect(form.getByLabel('Setup script')).toHaveValue('sleep infinity');
  await page.getByRole('button', { name: 'Activity' }).click();
  await expect(
    page
      .getByRole('list', { name: 'Activity' })
      .getByRole('listitem')
      .filter({ hasText: 'Building environment diabetes' })
      .first()
  ).toContainText('cancelled');
  await shoot(page, 'activity');
  await expect
    .poll(() => inEngine('ps', '-aq'), { timeout: MINUTE })
    .toEqual(['']);
  expect(inEngine('images', '-aq')).toEqual(images);
});

/** Press a key until something has the focus, and see that one can see it. */
async function goTo(page: Page, target: Locator, key = 'Tab') {
  const focused = () =>
    target.evaluate(
      node => node === document.activeElement && node.matches(':focus-visible')
    );
  for (let presses = 0; !(await focused()) && presses < 50; presses++) {
    await page.keyboard.press(key);
  }
  await expect(target).toBeFocused();
  await expect(target).toBeInViewport({ ratio: 1 });
  await expect(target).toHaveCSS('outline-style', 'solid');
}

test('the panel is used by keyboard alone', async ({ page }) => {
  test.setTimeout(3 * MINUTE);
  const button = (action: string) =>
    row(page, 'Environments', 'diabetes').getByRole('button', {
      name: `${action}: diabetes`,
      includeHidden: true
    });
  await goTo(
    page,
    page.locator('.jp-SideBar.jp-mod-left .lm-TabBar-tab.lm-mod-current'),
    'Shift+Tab'
  );
  await goTo(page, tab(page), 'ArrowDown');
  await page.keyboard.press('Enter');
  await expect(button('Edit')).toHaveCount(1, { timeout: 30_000 });

  await goTo(page, button('Delete'));
  await shoot(page, 'keyboard');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('Delete environment diabetes?');
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await expect(button('Delete')).toBeFocused();

  await goTo(page, button('Edit'), 'Shift+Tab');
  await page.keyboard.press('Enter');
  const form = page.locator('.jp-MLOpsForm');
  await expect(form).toBeVisible();
  await goTo(page, form.getByLabel('Description'));
  await page.keyboard.press('Alt+w');
  await expect(form).toHaveCount(0);

  await goTo(page, button('New notebook'), 'Shift+Tab');
  await page.keyboard.press('Enter');
  const notebook = page.locator('.jp-NotebookPanel:visible');
  await expect(
    notebook.getByRole('button', { name: 'diabetes r2' })
  ).toBeVisible({ timeout: MINUTE });
  await page.keyboard.press('Enter');
  await page.keyboard.type('import tabulate; tabulate.__name__');
  await page.keyboard.press('Shift+Enter');
  await expect(notebook.locator('.jp-OutputArea-output').first()).toHaveText(
    "'tabulate'",
    { timeout: MINUTE }
  );
});
