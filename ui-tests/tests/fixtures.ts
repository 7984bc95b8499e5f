import { test as base } from '@jupyterlab/galata';
import { request as playwrightRequest } from '@playwright/test';

export { expect } from '@jupyterlab/galata';

/**
 * Galata's own REST helpers (contents, kernels) post without an `X-XSRFToken` header:
 * they get the token; the browser itself keeps cookie and XSRF.
 */
export const test = base.extend({
  request: async ({ baseURL }, use) => {
    const context = await playwrightRequest.newContext({
      baseURL,
      extraHTTPHeaders: { Authorization: `token ${process.env.UI_TEST_TOKEN}` }
    });
    await use(context);
    await context.dispose();
  }
});
