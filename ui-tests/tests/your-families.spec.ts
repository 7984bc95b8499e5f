import type { APIRequestContext } from '@playwright/test';

import { expect, test } from './fixtures';
import { MINUTE, openPanel, row, SHOTS, violations } from './panel';
import { act, shoot, work } from './steps';

// On the same server as the others; needs none of their environments.
test.describe.configure({ mode: 'serial' });

async function writeNotebook(
  request: APIRequestContext,
  path: string,
  source: string
) {
  const cell = {
    cell_type: 'code',
    execution_count: null,
    id: 'one',
    metadata: {},
    outputs: [],
    source
  };
  const content = {
    cells: [cell],
    metadata: {},
    nbformat: 4,
    nbformat_minor: 5
  };
  const answer = await request.put(`/api/contents/${path}`, {
    data: { type: 'notebook', format: 'json', content }
  });
  expect(answer.ok()).toBe(true);
}

test('environments follow another one, if their notebook passes', async ({
  page,
  request
}) => {
  test.setTimeout(12 * MINUTE);
  const bases = await (await request.get('/mlops/bases')).json();
  if (!bases.items.some((base: { name: string }) => base.name === 'debian')) {
    await work(request, 'bases', { kind: 'debian', name: 'debian' });
  }
  const team = (version: string) => ({
    spec: { name: 'team', base: 'debian', python: [`humanize==${version}`] }
  });
  const child = (name: string) => ({
    spec: { name, base: 'team@active', smoke: `${name}.ipynb`, python: ['six'] }
  });
  await writeNotebook(request, 'follows.ipynb', 'import humanize, six');
  await writeNotebook(
    request,
    'strict.ipynb',
    'import humanize\nassert humanize.__version__ == "4.6.0"'
  );
  await work(request, 'environments', team('4.6.0'));
  await work(request, 'environments', child('follows'));
  await work(request, 'environments', child('strict'));
  await page.reload();
  await openPanel(page);
  const follows = row(page, 'Environments', 'follows');
  await expect(follows).toContainText('r1', { timeout: MINUTE });

  await work(request, 'environments/team/revisions', team('4.9.0'));
  await expect(follows).toContainText('r2', { timeout: 4 * MINUTE });
  await expect(follows).toContainText('Since r1: 1 changed');
  const strict = row(page, 'Environments', 'strict');
  await expect(strict).toContainText('Revision 1 stays active', {
    timeout: 4 * MINUTE
  });
  await shoot(page, 'followers');

  await act(page, 'follows', 'Log');
  const build = page.locator('.jp-MLOpsOperation:visible');
  const changes = build.getByRole('region', { name: 'Changed packages' });
  await expect(changes).toContainText('From r1 to r2: 1 changed');
  await expect(changes).toContainText('humanize');
  await expect(changes).toContainText('4.9.0');
  await expect(build.getByRole('list', { name: 'Steps' })).toContainText(
    'smoke'
  );
  await shoot(page, 'followed');
  expect(await violations(page, '.jp-MLOpsOperation-changes')).toEqual([]);

  await act(page, 'strict', 'Log');
  await expect(build).toContainText('Code cell 1 of strict.ipynb failed');
  await expect(changes).toContainText('humanize');
});

test('revisions that nothing needs go, one or all', async ({ page }) => {
  test.setTimeout(4 * MINUTE);
  const dialog = page.locator('.jp-Dialog');
  const open = async (name: string) => {
    await act(page, name, 'Revisions');
    return page.getByRole('tabpanel', { name: `Revisions of ${name}` });
  };
  const follows = await open('follows');
  const rows = follows.getByRole('listitem');
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toContainText(
    /^r2Active · \d+ MB · .*Python 3[.\d]+, \d+ packages/
  );
  await shoot(page, 'revisions');
  expect(await violations(page, '.jp-MLOpsRevisions')).toEqual([]);
  await rows.nth(1).getByRole('button', { name: 'Delete: r1' }).click();
  await expect(dialog).toContainText('1 revision goes: follows r1.');
  await expect(dialog).toContainText(/\d [kM]?B will be free again/);
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(rows).toHaveCount(1, { timeout: MINUTE });

  // The environment that stayed as it was is built on the first one.
  const team = await open('team');
  await team.getByRole('button', { name: 'Delete: r1' }).click();
  await expect(dialog).toContainText('strict@1 was built on it');
  await dialog.getByRole('button', { name: 'OK' }).click();

  await openPanel(page);
  await page
    .getByRole('button', { name: 'Delete old revisions that nothing needs' })
    .click();
  await expect(dialog).toContainText('strict r2');
  await expect(dialog).toContainText(
    'team r1 stays: strict@1 was built on it.'
  );
  await shoot(page, 'prune');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(dialog).toHaveCount(0);
  const strict = await open('strict');
  await expect(strict.getByRole('listitem')).toHaveCount(1, {
    timeout: MINUTE
  });
});

test('a base image is made of a Dockerfile', async ({ page, request }) => {
  test.setTimeout(4 * MINUTE);
  const bases = await (await request.get('/mlops/bases')).json();
  const { ref } = bases.items.find(
    (base: { name: string }) => base.name === 'debian'
  );
  const form = page.getByRole('tabpanel', { name: 'New base image' });
  const open = async () => {
    await openPanel(page);
    await page.getByRole('button', { name: 'New environment' }).first().click();
    await page
      .locator('.jp-MLOpsForm:visible')
      .getByRole('button', { name: 'Base from a Dockerfile…' })
      .click();
    await expect(form).toBeVisible();
  };
  const build = page.locator('.jp-MLOpsOperation:visible');
  await open();
  await form.getByRole('button', { name: 'Build base image' }).click();
  await expect(form).toContainText('Choose a Dockerfile, or paste one below.');
  await form.getByLabel('Name').fill('own');
  await form
    .getByLabel('Or paste it')
    .fill(`FROM ${ref}\nRUN echo so far; nonsense\n`);
  await shoot(page, 'base-form');
  expect(await violations(page, '.jp-MLOpsForm.jp-mod-base')).toEqual([]);
  await form.getByRole('button', { name: 'Build base image' }).click();
  await expect(build.getByRole('alert')).toContainText(
    '(line 2) failed: RUN echo so far; nonsense',
    { timeout: MINUTE }
  );
  await shoot(page, 'base-failed');

  const written = await request.put('/api/contents/own.Dockerfile', {
    data: {
      type: 'file',
      format: 'text',
      content: `FROM ${ref}\nRUN echo it runs\n`
    }
  });
  expect(written.ok()).toBe(true);
  await open();
  await form.getByLabel('Name').fill('own');
  await form.getByLabel('Dockerfile').fill('own.Dockerfile');
  await form.getByRole('button', { name: 'Build base image' }).click();
  await expect(build).toContainText('it runs', { timeout: MINUTE });
  const choice = page.locator('.jp-MLOpsForm').getByLabel('Base', {
    exact: true
  });
  await expect(choice.locator('option[value="own"]')).toHaveCount(1, {
    timeout: MINUTE
  });
  expect((await request.delete('/mlops/bases/own')).ok()).toBe(true);
});

test('deleting says what space comes back', async ({ page }) => {
  test.setTimeout(3 * MINUTE);
  await act(page, 'team', 'Delete');
  const dialog = page.locator('.jp-Dialog');
  await expect(dialog).toContainText('follows, strict start from it');
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);

  for (const name of ['follows', 'strict', 'team']) {
    await act(page, name, 'Delete');
    await expect(dialog).toContainText(
      name === 'team' ? 'Its 2 revisions ' : 'Its 1 revision '
    );
    await expect(dialog).toContainText(/\d [kM]B will be free again/);
    await expect(dialog).toContainText(
      /\d MB stay, since other images have the same layers/
    );
    if (name === 'follows') {
      await shoot(page, 'delete');
    }
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await expect(row(page, 'Environments', name)).toHaveCount(0, {
      timeout: MINUTE
    });
  }
});
