import { expect, test } from './fixtures';
import { MINUTE, SHOTS } from './panel';

// Goes on from work.spec.ts on the same server: `diabetes` has two revisions.
test.describe.configure({ mode: 'serial' });

function notebook(kernel: string, pointer: Record<string, any>): string {
  return JSON.stringify({
    cells: [
      {
        cell_type: 'code',
        execution_count: null,
        id: 'a',
        metadata: {},
        outputs: [],
        source: '6 * 7'
      }
    ],
    metadata: {
      kernelspec: { name: kernel, display_name: kernel, language: 'python' },
      jupyter_mlops: pointer
    },
    nbformat: 4,
    nbformat_minor: 5
  });
}

test('a notebook offers the revision that it was made with', async ({
  page,
  request,
  tmpPath
}) => {
  test.setTimeout(4 * MINUTE);
  const specs = await (await request.get('/api/kernelspecs')).json();
  const pointer = (name: string) =>
    specs.kernelspecs[name].spec.metadata.jupyter_mlops;
  const first = pointer('mlops-diabetes.r1');
  const path = `${tmpPath}/made.ipynb`;
  await page.contents.uploadContent(
    notebook('mlops-diabetes', first),
    'text',
    path
  );
  await page.notebook.openByPath(path);
  const notice = page.locator('.jp-toastContainer');
  await expect(notice).toContainText(
    'made.ipynb was made with diabetes r1 and now runs in r2.',
    { timeout: MINUTE }
  );
  await page.screenshot({ path: `${SHOTS}/origin-light.png` });
  await notice.getByRole('button', { name: 'Use r1' }).click();
  const toolbar = page.locator('.jp-NotebookPanel-toolbar:visible');
  await expect(
    toolbar.getByRole('button', { name: 'diabetes r1' })
  ).toBeVisible({ timeout: MINUTE });

  // What runs in another revision is made with that one.
  const saved = async () => {
    await page.notebook.save();
    const answer = await request.get(`/api/contents/${path}`);
    return (await answer.json()).content.metadata.jupyter_mlops;
  };
  expect(await saved()).toEqual(first);
  await page.notebook.activate('made.ipynb');
  await page.evaluate(async () => {
    const panel = window.jupyterapp.shell.currentWidget as any;
    await panel.sessionContext.changeKernel({ name: 'mlops-diabetes' });
  });
  await page.menu.clickMenuItem('Run>Run All Cells');
  await expect(page.locator('.jp-OutputArea-output').first()).toHaveText('42', {
    timeout: MINUTE
  });
  await expect
    .poll(saved, { timeout: MINUTE })
    .toEqual(pointer('mlops-diabetes'));
});

test('a notebook of an environment that is missing says so', async ({
  page,
  tmpPath
}) => {
  const path = `${tmpPath}/foreign.ipynb`;
  await page.contents.uploadContent(
    notebook('mlops-churn', {
      environment: 'churn',
      revision: 3,
      digest: 'sha256:3',
      lock: 'sha256:4'
    }),
    'text',
    path
  );
  await page.filebrowser.open(path);
  const notice = page.locator('.jp-toastContainer');
  await expect(notice).toContainText(
    'foreign.ipynb was made in the environment churn, revision 3, which is not on this machine.',
    { timeout: MINUTE }
  );
  await page.screenshot({ path: `${SHOTS}/origin-missing-light.png` });
  // JupyterLab's own question, which kernel to take instead.
  const dialog = page.locator('.jp-Dialog');
  await dialog.getByRole('button', { name: 'No Kernel' }).click();
  await notice.getByRole('button', { name: 'New environment' }).click();
  await expect(
    page.locator('.jp-MLOpsForm').getByLabel('Name', { exact: true })
  ).toHaveValue('churn');
});
