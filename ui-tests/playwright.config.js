const galata = require('@jupyterlab/galata/lib/playwright-config');

const port = process.env.UI_TEST_PORT ?? '8899';
// The teammate: another JupyterLab, on another engine.
const teammate = (process.env.UI_TEST_TEAMMATE_PORT ??= '8898');
const token = (process.env.UI_TEST_TOKEN ??= 'ui-test-token');
const baseURL = `http://127.0.0.1:${port}`; // no slash at the end: Galata appends '/lab'

module.exports = {
  ...galata,
  testDir: './tests',
  outputDir: './test-results',
  reporter: [['list']],
  workers: 1,
  // A test that passes only the second time is named "flaky" in the list, to be mended.
  retries: process.env.CI ? 1 : 0,
  timeout: 60000,
  expect: { timeout: 10000 },
  metadata: { token },
  use: {
    ...galata.use,
    baseURL,
    // Recording needs an ffmpeg of Playwright's own.
    video: 'off',
    actionTimeout: 20000,
    viewport: { width: 1440, height: 900 },
    // Without a graphics card, what moves costs a processor.
    contextOptions: { reducedMotion: 'reduce' },
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--disable-gpu',
        '--disable-lcd-text',
        '--disable-webgl'
      ]
    }
  },
  projects: [
    { name: 'login', testMatch: /login\.setup\.ts/ },
    {
      name: 'lab',
      testMatch: /.*\.spec\.ts/,
      dependencies: ['login'],
      use: { storageState: '.auth/user.json' }
    }
  ],
  webServer: {
    command: 'bash serve.sh',
    url: `${baseURL}/login`,
    env: {
      UI_TEST_PORT: port,
      UI_TEST_TEAMMATE_PORT: teammate,
      UI_TEST_TOKEN: token
    },
    timeout: 120000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 60000 }
  }
};
