import { expect, test } from './fixtures';
import { MINUTE, openPanel, row, violations } from './panel';
import { have, run, shoot } from './steps';

// After the others on the same server, which begins without environments; needs none of theirs.
test.describe.configure({ mode: 'serial' });

const LIMIT = `import os
for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
    if os.path.exists(path):
        print(int(open(path).read()) // 1024**2, sorted(os.listdir("/sys/class/net")))`;
const LARGE = 'data = b"x" * (400 * 1024**2); print(len(data))';

test('a notebook with limits runs out of memory and gets more', async ({
  page,
  request
}) => {
  test.setTimeout(10 * MINUTE);
  await have(request, { name: 'limited', base: 'debian' });
  await page.reload();
  await openPanel(page);
  await row(page, 'Environments', 'limited').click({
    button: 'right',
    timeout: MINUTE
  });
  await page
    .getByRole('menuitem', { name: 'New Notebook With Limits…' })
    .click();
  const dialog = page.locator('.jp-Dialog');
  await dialog.getByLabel('Memory').fill('10 MB');
  await dialog.getByLabel('Processors').fill('0.5');
  await dialog.getByLabel('Network').selectOption('None');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByRole('alert')).toContainText(
    'memory: 9.54 MiB is too little for a kernel to start.'
  );
  await expect(dialog.getByLabel('Processors')).toHaveValue('0.5');
  expect(await violations(page, '.jp-MLOpsLimits')).toEqual([]);
  await shoot(page, 'limits-refused');
  await dialog.getByLabel('Memory').fill('300 MiB');
  await dialog.getByRole('button', { name: 'Save' }).click();

  const notebook = page.locator('.jp-NotebookPanel:visible');
  const chip = notebook.getByRole('button', { name: 'limited r1' });
  await expect(chip).toBeVisible({ timeout: MINUTE });
  await run(page, LIMIT, /^300 \['lo'\]\s*$/);

  await chip.click();
  const popover = page.getByRole('dialog', { name: 'Environment' });
  await expect(popover).toContainText(/MiB of 300 MiB/);
  await expect(popover).toContainText(/of 0.5 cores/);
  await expect(popover.getByRole('meter', { name: 'Memory' })).toBeVisible();
  await shoot(page, 'limits-usage');
  await page.keyboard.press('Escape');

  const cell = notebook.locator('.jp-Cell').last();
  await cell.locator('.cm-content').click();
  await page.keyboard.insertText(LARGE);
  await page.keyboard.press('Shift+Enter');
  const bar = notebook.locator('.jp-MLOpsEnded');
  await expect(bar).toContainText(
    'The kernel ran out of memory (its limit is 300 MiB) and was stopped.',
    { timeout: MINUTE }
  );
  // JupyterLab's own words: that it died, and restarts.
  await dialog.getByRole('button', { name: 'Ok' }).click();
  const more = bar.getByRole('button', { name: 'Restart with 600 MiB' });
  await expect(more).toBeVisible();
  expect(await violations(page, '.jp-MLOpsEnded')).toEqual([]);
  await shoot(page, 'limits-out-of-memory');
  await more.click();
  await expect(bar).toHaveCount(0, { timeout: MINUTE });
  // The other limits stay, and what did not fit now does.
  await run(page, LIMIT, /^600 \['lo'\]\s*$/);
  await run(page, LARGE, /^419430400\s*$/);

  const panel = await openPanel(page);
  const kernel = panel
    .getByRole('list', { name: 'Kernels' })
    .getByRole('listitem')
    .filter({ hasText: 'limited r1' });
  await expect(kernel).toContainText(/\d{3} MiB of 600 MiB/, {
    timeout: 30_000
  });
  await shoot(page, 'limits-kernels');
});

test('other limits of a running kernel say what is lost', async ({
  page,
  request
}) => {
  test.setTimeout(6 * MINUTE);
  await have(request, { name: 'limited', base: 'debian' });
  await page.reload();
  await openPanel(page);
  const environment = row(page, 'Environments', 'limited');
  await environment.hover();
  await environment
    .getByRole('button', { name: 'New notebook: limited' })
    .click({ timeout: MINUTE });
  const notebook = page.locator('.jp-NotebookPanel:visible');
  const chip = notebook.getByRole('button', { name: 'limited r1' });
  await expect(chip).toBeVisible({ timeout: MINUTE });
  await run(
    page,
    '%pip install --quiet toolz\nimport toolz; toolz.__name__',
    /'toolz'/
  );
  await expect(notebook.getByRole('button', { name: '1 added' })).toBeVisible({
    timeout: MINUTE
  });
  await chip.click();
  await page.getByRole('button', { name: 'Limits…' }).click();
  const dialog = page.locator('.jp-Dialog');
  await expect(dialog).toContainText('variables are lost');
  await expect(dialog.getByRole('note')).toContainText('toolz');
  await shoot(page, 'limits-running');
  await dialog.getByLabel('Memory').fill('512 MiB');
  await dialog.getByRole('button', { name: 'Save for Later' }).click();
  await run(page, 'toolz.__name__', /'toolz'/);

  await page.menu.clickMenuItem('Kernel>Limits of the Kernel…');
  await expect(dialog.getByLabel('Memory')).toHaveValue('512 MiB');
  await dialog
    .getByRole('button', { name: 'Restart in a New Container' })
    .click();
  await expect(notebook.getByRole('button', { name: '1 added' })).toHaveCount(
    0,
    { timeout: MINUTE }
  );
  await run(page, LIMIT, /^512 \['eth0', 'lo'\]\s*$/);
  await run(
    page,
    'import importlib.util; print(importlib.util.find_spec("toolz"))',
    /^None\s*$/
  );
});

test('a secret that the server does not have is asked for', async ({
  page,
  request
}) => {
  test.setTimeout(6 * MINUTE);
  await have(request, {
    name: 'secretive',
    base: 'debian',
    secrets: ['API_TOKEN']
  });
  await page.reload();
  await openPanel(page);
  const environment = row(page, 'Environments', 'secretive');
  const start = async () => {
    await environment.hover();
    await environment
      .getByRole('button', { name: 'New notebook: secretive' })
      .click({ timeout: MINUTE });
  };
  await start();
  const dialog = page.locator('.jp-Dialog').filter({ hasText: 'API_TOKEN' });
  await expect(dialog).toContainText('never saved', { timeout: MINUTE });
  await dialog.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(dialog.getByRole('alert')).toContainText('API_TOKEN is empty.');
  const field = dialog.getByLabel('API_TOKEN');
  await expect(field).toHaveAttribute('type', 'password');
  await field.fill('correct horse');
  expect(await violations(page, '.jp-MLOpsLimits')).toEqual([]);
  await shoot(page, 'secrets');
  await dialog.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByRole('button', { name: 'secretive r1' })).toBeVisible({
    timeout: MINUTE
  });
  await run(page, 'import os; print(len(os.environ["API_TOKEN"]))', /^13\s*$/);

  await start();
  await dialog.getByRole('button', { name: 'Do Not Start' }).click();
  await expect(
    page.locator('.jp-Dialog').filter({ hasText: 'API_TOKEN was not given' })
  ).toBeVisible({ timeout: MINUTE });
  await shoot(page, 'secrets-refused');
});
