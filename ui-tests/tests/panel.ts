import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

import { expect } from './fixtures';

export const PANEL = 'jupyter-mlops-sidebar';
export const SHOTS = 'shots';
export const MINUTE = 60_000;

/** The tab of the panel, in the bar at the left. */
export function tab(page: Page) {
  return page.locator(`.lm-TabBar-tab[data-id="${PANEL}"]`);
}

export async function openPanel(page: Page) {
  const panel = page.getByRole('region', { name: 'Environments panel' });
  if (!(await panel.isVisible())) {
    await tab(page).click();
  }
  await expect(panel).toBeVisible();
  return panel;
}

/** A row of the panel, by its title. */
export function row(page: Page, section: string, title: string) {
  return page
    .getByRole('region', { name: 'Environments panel' })
    .getByRole('list', { name: section })
    .getByRole('listitem')
    .filter({ has: page.getByText(title, { exact: true }) });
}

export async function violations(page: Page, selector: string) {
  const found = await new AxeBuilder({ page })
    .include(selector)
    // Faults of JupyterLab's own filter box and toolbar buttons.
    .exclude('.jp-FilterBox')
    .exclude('jp-button')
    .analyze();
  return found.violations.map(
    v => `${v.id}: ${v.nodes.map(n => `${n.target} ${n.failureSummary}`)}`
  );
}
