import { expect, test } from './fixtures';
import { MINUTE, openPanel, violations } from './panel';
import { act, have, run, shoot } from './steps';

// On the same server as the others; needs none of their environments.
test.describe.configure({ mode: 'serial' });
// A new one each time: what was built for the last attempt has grown already.
const growing = () => `growing${test.info().retry}`;

test('packages of a kernel are added to its environment', async ({
  page,
  request
}) => {
  test.setTimeout(6 * MINUTE);
  await have(request, {
    name: growing(),
    base: 'debian',
    // The next test asks for an older idna than this one takes.
    python: ['requests==2.31.0']
  });
  await act(page, growing(), 'New notebook');
  const notebook = page.locator('.jp-NotebookPanel:visible');
  await expect(
    notebook.getByRole('button', { name: `${growing()} r` })
  ).toBeVisible({ timeout: MINUTE });
  await run(page, '%pip install -q six\nprint("installed")', /installed/);
  await notebook.getByRole('button', { name: '1 added' }).click();
  const popover = page.getByRole('dialog', {
    name: 'Changes since the revision'
  });
  await expect(popover).toContainText('six');
  await shoot(page, 'additions');
  await popover.getByRole('button', { name: 'Add to environment' }).click();
  const operation = page.locator('.jp-MLOpsOperation');
  await expect(operation.getByText(/done/)).toBeVisible({
    timeout: 3 * MINUTE
  });
  await expect(operation.locator('.jp-MLOpsOperation-changes')).toContainText(
    'six'
  );
});

test('versions that do not go together are told in a sentence', async ({
  page
}) => {
  test.setTimeout(4 * MINUTE);
  await act(page, growing(), 'New notebook');
  const notebook = page.locator('.jp-NotebookPanel:visible');
  await expect(
    notebook.getByRole('button', { name: `${growing()} r` })
  ).toBeVisible({ timeout: MINUTE });
  await run(page, '%pip install -q idna==2.4\nprint("installed")', /installed/);
  await notebook.getByRole('button', { name: '1 change' }).click();
  const popover = page.getByRole('dialog', {
    name: 'Changes since the revision'
  });
  await popover.getByRole('button', { name: 'Add to environment' }).click();
  const operation = page.locator('.jp-MLOpsOperation');
  await expect(operation.getByRole('alert')).toContainText(/idna/, {
    timeout: 2 * MINUTE
  });
  expect(await violations(page, '.jp-MLOpsOperation')).toEqual([]);
  await shoot(page, 'conflict');
});

test('packages come from the files of other tools', async ({
  page,
  request,
  tmpPath
}) => {
  test.setTimeout(3 * MINUTE);
  const content =
    'name: old\ndependencies:\n  - python=3.11\n  - numpy\n  - libgfortran5\n  - pip:\n      - six\n';
  const written = await request.put(
    `/api/contents/${tmpPath}/environment.yml`,
    {
      data: { type: 'file', format: 'text', content }
    }
  );
  expect(written.ok()).toBe(true);
  const panel = await openPanel(page);
  await panel.getByRole('button', { name: 'New environment' }).click();
  const form = page.locator('.jp-MLOpsForm');
  await form.getByRole('button', { name: 'Import file…' }).click();
  const dialog = page.locator('.jp-Dialog');
  await dialog.getByText('environment.yml', { exact: true }).click();
  await dialog.getByRole('button', { name: 'Select' }).click();
  const packages = form.getByLabel('Python packages');
  await expect(packages).toHaveValue(/numpy\nsix|six\nnumpy/, {
    timeout: MINUTE
  });
  await expect(form).toContainText('libgfortran5');
  expect(await violations(page, '.jp-MLOpsForm')).toEqual([]);
  await shoot(page, 'imported');
  await form
    .getByRole('button', { name: 'Capture the local environment' })
    .click();
  await expect(packages).toHaveValue(/jupyterlab==\d/, { timeout: MINUTE });
});
