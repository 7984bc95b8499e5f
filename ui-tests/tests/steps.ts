import type { IJupyterLabPageFixture } from '@jupyterlab/galata';
import type { APIRequestContext, Page } from '@playwright/test';

import { expect } from './fixtures';
import { MINUTE, openPanel, row, SHOTS } from './panel';

/** A picture in each theme. */
export async function shoot(page: IJupyterLabPageFixture, name: string) {
  await page.theme.setDarkTheme();
  await page.screenshot({ path: `${SHOTS}/${name}-dark.png` });
  await page.theme.setLightTheme();
  await page.screenshot({ path: `${SHOTS}/${name}-light.png` });
}

/** Ask for work, and wait until it is done. */
export async function work(
  request: APIRequestContext,
  path: string,
  data: unknown
) {
  const asked = await request.post(`/mlops/${path}`, { data });
  expect(asked.status()).toBe(202);
  const { id } = await asked.json();
  const state = async () =>
    (await (await request.get(`/mlops/operations/${id}`)).json()).state;
  await expect.poll(state, { timeout: 5 * MINUTE }).toBe('succeeded');
}

/** An environment, and its base; built unless it is there. */
export async function have(
  request: APIRequestContext,
  spec: { name: string; base: string; secrets?: string[]; python?: string[] }
) {
  const names = async (noun: string) =>
    (await (await request.get(`/mlops/${noun}`)).json()).items.map(
      (item: { name: string }) => item.name
    );
  if (!(await names('bases')).includes('debian')) {
    await work(request, 'bases', { kind: 'debian', name: 'debian' });
  }
  if (!(await names('environments')).includes(spec.name)) {
    await work(request, 'environments', { spec });
  }
}

/** Press a button of an environment's row. */
export async function act(page: Page, name: string, action: string) {
  await openPanel(page);
  // By keyboard: in a short list the mouse may find a button below the edge.
  await row(page, 'Environments', name)
    .getByRole('button', { name: `${action}: ${name}`, includeHidden: true })
    .press('Enter');
}

/** Type a cell, run it, and see its last output. */
export async function run(page: Page, code: string, output: RegExp) {
  const cells = page.locator('.jp-NotebookPanel:visible .jp-Cell');
  // Running the last one adds another.
  const cell = cells.nth((await cells.count()) - 1);
  await cell.locator('.cm-content').click();
  await page.keyboard.insertText(code);
  await page.keyboard.press('Shift+Enter');
  await expect(cell.locator('.jp-OutputArea-output').last()).toHaveText(
    output,
    { timeout: MINUTE }
  );
}
