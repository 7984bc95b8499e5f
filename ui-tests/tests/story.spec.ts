import type { Page } from '@playwright/test';
import { readFileSync } from 'fs';

import { expect, test } from './fixtures';
import { MINUTE, openPanel, PANEL, row, SHOTS, violations } from './panel';
import { shoot } from './steps';

// One story: each test goes on from the one before, on the same server.
test.describe.configure({ mode: 'serial' });

test('a first environment is built by clicking', async ({ page }) => {
  test.setTimeout(8 * MINUTE);
  const panel = await openPanel(page);
  await panel
    .getByRole('button', { name: 'Build your first environment' })
    .click();
  const form = page.locator('.jp-MLOpsForm');
  await form.getByRole('button', { name: 'Make a Debian base image' }).click();
  await expect(form.getByRole('progressbar')).toBeVisible();
  await expect(form.getByLabel('Base', { exact: true })).toHaveValue('debian', {
    timeout: 4 * MINUTE
  });
  await form.getByRole('button', { name: 'Data science' }).click();
  await form.getByLabel('Name', { exact: true }).fill('Not A Name');
  await form.getByRole('button', { name: 'Build revision 1' }).click();
  await expect(form.getByText('Use 1 to 40 lower-case letters')).toBeVisible();
  await form.getByLabel('Name', { exact: true }).fill('diabetes');
  expect(await violations(page, '.jp-MLOpsForm')).toEqual([]);
  await page.screenshot({ path: `${SHOTS}/form-light.png` });
  await form.getByRole('button', { name: 'Build revision 1' }).click();

  const build = page.locator('.jp-MLOpsOperation');
  await expect(
    build.getByRole('heading', { name: 'Building environment diabetes' })
  ).toBeVisible();
  await expect(build.locator('.jp-MLOpsOperation-phases')).toContainText(
    'python',
    { timeout: 2 * MINUTE }
  );
  await page.screenshot({ path: `${SHOTS}/build-light.png` });
  await expect(build.getByText(/done/)).toBeVisible({ timeout: 5 * MINUTE });
  await expect(row(page, 'Environments', 'diabetes')).toContainText('r1');
});

test('its notebook runs in a container, is frozen and published', async ({
  page
}) => {
  // In one test: kernels end with the test that started them.
  test.setTimeout(6 * MINUTE);
  await page.notebook.openByPath('diabetes/train.ipynb');
  await page.notebook.activate('train.ipynb');
  const toolbar = page.locator('.jp-NotebookPanel-toolbar:visible');
  await expect(
    toolbar.getByRole('button', { name: 'diabetes r1' })
  ).toBeVisible({ timeout: 30_000 });
  await page.menu.clickMenuItem('Run>Run All Cells');
  await expect(toolbar.getByRole('button', { name: '1 added' })).toBeVisible({
    timeout: 2 * MINUTE
  });
  await toolbar.getByRole('button', { name: '1 added' }).click();
  const popover = page.getByRole('dialog', {
    name: 'Changes since the revision'
  });
  await expect(popover.getByRole('row')).toHaveCount(1);
  await expect(popover).toContainText('humanize');
  await page.screenshot({ path: `${SHOTS}/notebook-light.png` });
  await page.keyboard.press('Escape');
  await toolbar.getByRole('button', { name: 'Freeze' }).click();
  const dialog = page.locator('.jp-Dialog');
  await expect(dialog.locator('.jp-MLOpsDiff')).toContainText('humanize', {
    timeout: 30_000
  });
  await expect(dialog).toContainText('model.joblib');
  await dialog.getByLabel('Name', { exact: true }).fill('baseline');
  await page.screenshot({ path: `${SHOTS}/freeze-light.png` });
  await dialog.getByRole('button', { name: 'Freeze' }).click();

  await openPanel(page);
  const snapshot = row(page, 'Snapshots', 'baseline');
  await expect(snapshot).toContainText('diabetes r1 + 1 package', {
    timeout: 2 * MINUTE
  });
  await snapshot.hover();
  await snapshot.getByRole('button', { name: 'Publish: baseline' }).click();
  await expect(snapshot).toContainText('published', { timeout: 2 * MINUTE });
  await expect(row(page, 'Team catalogue', 'baseline')).toBeVisible({
    timeout: 30_000
  });
  await page.screenshot({ path: `${SHOTS}/published-light.png` });

  // A model that was never saved: from the variable to a package that passes.
  await toolbar.getByRole('button', { name: 'Export to SageMaker' }).click();
  await expect(
    dialog.getByRole('radio', { name: /^model Pipeline/ })
  ).toBeChecked({
    timeout: 30_000
  });
  await expect(dialog.getByLabel('Sample', { exact: true })).toHaveValue(
    'sample'
  );
  await expect(dialog).toContainText('It has the columns of the fit.');
  await dialog.getByLabel('Name', { exact: true }).fill('never-saved');
  await page.screenshot({ path: `${SHOTS}/live-light.png` });
  expect(await violations(page, '.jp-MLOpsLiveModel')).toEqual([]);
  await dialog.getByRole('button', { name: 'Export' }).click();
  await expect(dialog).toContainText('exported/never-saved/model.joblib', {
    timeout: 30_000
  });
  await dialog.getByLabel('Name', { exact: true }).fill('never-saved');
  await dialog.getByRole('button', { name: 'Freeze' }).click();
  const wizard = page.locator('.jp-MLOpsExport');
  await expect(wizard.getByLabel('Model file')).toHaveValue(
    'exported/never-saved/model.joblib',
    { timeout: MINUTE }
  );
  await expect(wizard).toContainText('Trusted only');
  await wizard.getByRole('button', { name: 'Build and check' }).click();
  await expect(wizard.getByText(/All \d+ checks passed/)).toBeVisible({
    timeout: 2 * MINUTE
  });
  await expect(wizard).toContainText('Same prediction as in the notebook');
});

test('a teammate on another engine gets the same results', async ({
  browser
}) => {
  test.setTimeout(6 * MINUTE);
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce'
  });
  const page = await context.newPage();
  const base = `http://127.0.0.1:${process.env.UI_TEST_TEAMMATE_PORT}`;
  await page.goto(`${base}/lab?token=${process.env.UI_TEST_TOKEN}&reset`);
  await page.locator('#jupyterlab-splash').waitFor({ state: 'detached' });
  const panel = await openPanel(page);
  await expect(panel.getByText(/^Podman/)).toBeVisible({ timeout: 30_000 });
  const entry = row(page, 'Team catalogue', 'baseline');
  await expect(entry).toContainText('ada', { timeout: 30_000 });
  await entry.hover();
  await entry.getByRole('button', { name: 'Open: baseline' }).click();
  await expect(
    page
      .locator('.jp-NotebookPanel-toolbar:visible')
      .getByRole('button', { name: 'baseline' })
  ).toBeVisible({ timeout: 3 * MINUTE });
  const snapshot = row(page, 'Snapshots', 'baseline');
  await snapshot.hover();
  await snapshot.getByRole('button', { name: 'Reproduce: baseline' }).click();
  const report = page.locator('.jp-MLOpsReport');
  await expect(report.getByRole('heading', { level: 2 })).toHaveText(
    /Same results in (\d+) of \1 cells/,
    { timeout: 3 * MINUTE }
  );
  await expect(report.getByRole('img', { name: 'failed' })).toHaveCount(0);
  await page.screenshot({ path: `${SHOTS}/report-light.png` });
  await context.close();
});

async function exportTo(page: Page, target: string, name: string) {
  await openPanel(page);
  const snapshot = row(page, 'Snapshots', 'baseline');
  await snapshot.hover();
  await snapshot.getByRole('button', { name: 'Export: baseline' }).click();
  const wizard = page.locator('.jp-MLOpsExport');
  await expect(wizard.getByLabel('Model file')).toHaveValue('model.joblib', {
    timeout: 30_000
  });
  await wizard.getByLabel('Name of the package').fill(name);
  await wizard.getByRole('button', { name: 'Build and check' }).click();
  await expect(wizard.getByText(/All \d+ checks passed/)).toBeVisible({
    timeout: 3 * MINUTE
  });
  await expect(wizard).toContainText('Same prediction as in the notebook');
  await page.screenshot({ path: `${SHOTS}/check-${target}-light.png` });
  return wizard;
}

/** Press a button of a deployment's row. */
async function actOn(page: Page, name: string, action: string) {
  await row(page, 'Deployments', name)
    .getByRole('button', { name: `${action}: ${name}`, includeHidden: true })
    .press('Enter');
}

test('a model is packaged, checked, deployed here and invoked', async ({
  page
}) => {
  test.setTimeout(5 * MINUTE);
  const wizard = await exportTo(page, 'local', 'diabetes-model');
  await wizard.getByRole('button', { name: 'Approve' }).click();
  await expect(wizard).toContainText(/Approved by ada-\d+\./);
  await wizard.getByRole('button', { name: 'Next' }).click();
  await expect(wizard.getByRole('radio')).toHaveCount(6);
  await wizard.getByRole('radio', { name: /This machine/ }).check();
  expect(await violations(page, '.jp-MLOpsExport')).toEqual([]);
  await shoot(page, 'targets');
  await wizard.getByLabel('Name of the deployment').fill('diabetes-local');
  await wizard.getByRole('button', { name: 'Review' }).click();
  await expect(wizard.locator('.jp-MLOpsExport-plan li').first()).toBeVisible();
  await wizard.getByRole('button', { name: 'Deploy' }).click();
  const console = wizard.locator('.jp-MLOpsConsole');
  await console
    .getByRole('button', { name: 'Invoke' })
    .click({ timeout: 2 * MINUTE });
  await expect(console.getByText(/Status 200/)).toBeVisible();
  await expect(console).toContainText('predictions');
  await console.getByLabel('Requests', { exact: true }).fill('30');
  await console.getByRole('button', { name: 'Invoke' }).click();
  await expect(
    console.getByRole('img', { name: /^30 requests: p50 / })
  ).toBeVisible();
  await console.getByRole('button', { name: 'Show log' }).click();
  await expect(console.locator('pre').last()).toContainText('"message"');
  expect(await violations(page, '.jp-MLOpsExport')).toEqual([]);
  await shoot(page, 'deployed');

  // The page shows what the sidebar does with it.
  await actOn(page, 'diabetes-local', 'Stop');
  await expect(console.locator('dd').first()).toContainText('stopped', {
    timeout: MINUTE
  });
  await expect(console.getByRole('button', { name: 'Invoke' })).toBeDisabled();
  await actOn(page, 'diabetes-local', 'Start');
  await expect(console.locator('dd').first()).toContainText('running', {
    timeout: MINUTE
  });
  await console.getByRole('button', { name: 'Invoke' }).click();
  await expect(console.getByText(/Status 200/)).toBeVisible();
});

test('the package is written as files for other platforms', async ({
  page,
  request
}) => {
  test.setTimeout(5 * MINUTE);
  const wizard = await exportTo(page, 'kserve', 'diabetes-model');
  // The same package as before: it is approved already.
  await expect(wizard).toContainText(/Approved by ada-\d+\./);
  await wizard.getByRole('button', { name: 'Model card' }).click();
  await expect(page.locator('.jp-FileEditor')).toContainText(
    'Input and output',
    {
      timeout: MINUTE
    }
  );
  await expect(
    page.getByRole('tab', { name: 'diabetes-model-card.md' })
  ).toBeVisible();
  await page.screenshot({ path: `${SHOTS}/model-card-light.png` });
  await page.activity.activateTab('Export: baseline');
  await wizard.getByRole('button', { name: 'Next' }).click();
  await wizard.getByRole('radio', { name: /KServe/ }).check();
  await wizard.getByLabel('Name of the deployment').fill('diabetes-cluster');
  const { project } = await (await request.get('/mlops/settings')).json();
  await wizard.getByLabel('Image repository').fill(`${project}-served`);
  const folder = test.info().outputPath('kserve');
  await wizard.getByLabel('Folder', { exact: true }).fill(folder);
  await shoot(page, 'kserve');
  await wizard.getByRole('button', { name: 'Review' }).click();
  await expect(wizard.locator('.jp-MLOpsExport-plan')).toContainText(
    'inferenceservice.yaml'
  );
  await wizard.getByRole('button', { name: 'Deploy' }).click();
  await expect(wizard.locator('.jp-MLOpsConsole')).toContainText(folder, {
    timeout: 2 * MINUTE
  });
  await expect(wizard.locator('.jp-MLOpsConsole')).toContainText('README.md');
  expect(await violations(page, '.jp-MLOpsExport')).toEqual([]);
  await shoot(page, 'written');
  const manifest = readFileSync(`${folder}/inferenceservice.yaml`, 'utf8');
  expect(manifest).toContain(`${project}-served@sha256:`);
});

test('the model is exported to SageMaker', async ({ page }) => {
  test.setTimeout(6 * MINUTE);
  const wizard = await exportTo(page, 'sagemaker', 'diabetes-cloud');
  await wizard.getByRole('button', { name: 'Next' }).click();
  await wizard.getByRole('radio', { name: /Amazon SageMaker/ }).check();
  await wizard.getByLabel('Name of the deployment').fill('diabetes-api');
  await wizard
    .getByLabel(/Execution role/)
    .fill('arn:aws:iam::123456789012:role/sagemaker-runs');
  await page.screenshot({ path: `${SHOTS}/target-light.png` });
  await wizard.getByRole('button', { name: 'Review' }).click();
  await expect(wizard.locator('.jp-MLOpsExport-plan')).toContainText(
    'endpoint'
  );
  await wizard.getByRole('button', { name: 'Deploy' }).click();
  await expect(wizard.locator('.jp-MLOpsConsole')).toContainText('InService', {
    timeout: 4 * MINUTE
  });
  const deployment = row(page, 'Deployments', 'diabetes-api');
  await expect(deployment).toContainText('InService');
  for (const theme of ['dark', 'light'] as const) {
    if (theme === 'dark') {
      await page.theme.setDarkTheme();
    } else {
      await page.theme.setLightTheme();
    }
    await page.screenshot({ path: `${SHOTS}/sagemaker-${theme}.png` });
    expect(await violations(page, `#${PANEL}`)).toEqual([]);
  }

  await actOn(page, 'diabetes-api', 'Update');
  const dialog = page.locator('.jp-Dialog');
  await expect(dialog.locator('option, [value]').first()).toBeAttached();
  await shoot(page, 'update');
  await dialog.getByRole('button', { name: 'Update' }).click();
  await expect(
    page.getByText('diabetes-api has the package diabetes-model now.')
  ).toBeVisible({ timeout: 2 * MINUTE });
  await actOn(page, 'diabetes-api', 'Roll back');
  await dialog.getByRole('button', { name: 'Roll Back' }).click();
  await expect(
    page.getByText('diabetes-api is what it was before.')
  ).toBeVisible({ timeout: 2 * MINUTE });
  await expect(deployment).toContainText('InService');
});

test('deployments are deleted with what was made for them', async ({
  page
}) => {
  test.setTimeout(3 * MINUTE);
  await openPanel(page);
  for (const name of ['diabetes-api', 'diabetes-cluster', 'diabetes-local']) {
    const deployment = row(page, 'Deployments', name);
    await deployment.hover();
    await deployment.getByRole('button', { name: `Delete: ${name}` }).click();
    const dialog = page.locator('.jp-Dialog');
    await expect(dialog).toContainText('These go with it');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await expect(deployment).toHaveCount(0, { timeout: MINUTE });
  }
});
