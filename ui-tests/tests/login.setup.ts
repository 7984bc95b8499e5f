import { expect, test } from '@playwright/test';

/** Log in by the token URL once; the cookie (and `_xsrf`) is what the tests use. */
test('log in', async ({ page, baseURL }) => {
  await page.goto(`${baseURL}/lab`);
  await expect(page).toHaveURL(/login/); // authentication is on
  await page.goto(`${baseURL}/lab?token=${process.env.UI_TEST_TOKEN}`);
  await page.locator('#jupyterlab-splash').waitFor({ state: 'detached' });
  await page.context().storageState({ path: '.auth/user.json' });
});
