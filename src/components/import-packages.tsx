import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { MlopsClient } from '../api/client';
import { MlopsError } from '../api/error';
import type { Imported } from '../api/nouns';
import { LeftOutList } from './left-out';
import { Problem } from './problem';

/** What is imported: a file (empty: the server's own Python) and the choices in it. */
interface IChoice {
  path: string;
  extras: string[];
  groups: string[];
}

/** Take packages from the file of another tool, or from what the server runs on. */
export function ImportPackages(props: {
  client: MlopsClient;
  trans: TranslationBundle;
  /** Let the user choose a file; null when there is none to choose. */
  pickFile: () => Promise<string | null>;
  onImported: (found: Imported, before: Imported | null) => void;
}): React.ReactElement {
  const { client, trans, pickFile, onImported } = props;
  const [choice, setChoice] = React.useState<IChoice | null>(null);
  const [found, setFound] = React.useState<Imported | null>(null);
  const [failure, setFailure] = React.useState<MlopsError | null>(null);
  const [busy, setBusy] = React.useState(false);

  const take = async (next: IChoice) => {
    setBusy(true);
    setFailure(null);
    try {
      const imported = await client.importPackages(next);
      onImported(imported, found);
      setChoice(next);
      setFound(imported);
    } catch (reason) {
      setFailure(MlopsError.from(reason));
    } finally {
      setBusy(false);
    }
  };
  const choices = (key: 'extras' | 'groups') =>
    (found?.[key] ?? []).map(name => (
      <label key={`${key}-${name}`}>
        <input
          type="checkbox"
          checked={!!choice?.[key].includes(name)}
          disabled={busy}
          onChange={event => {
            const others = (choice?.[key] ?? []).filter(n => n !== name);
            void take({
              ...choice!,
              [key]: event.target.checked ? [...others, name] : others
            });
          }}
        />
        {key === 'extras'
          ? trans.__('extra %1', name)
          : trans.__('group %1', name)}
      </label>
    ));
  return (
    <div className="jp-MLOpsForm-import">
      <Button
        type="button"
        small
        minimal
        disabled={busy}
        title={trans.__(
          'requirements.txt, pyproject.toml, pylock.toml, environment.yml of conda or renv.lock'
        )}
        onClick={async () => {
          const path = await pickFile();
          if (path) {
            await take({ path, extras: [], groups: [] });
          }
        }}
      >
        {trans.__('Import file…')}
      </Button>
      <Button
        type="button"
        small
        minimal
        disabled={busy}
        title={trans.__('Everything that is installed beside JupyterLab')}
        onClick={() => void take({ path: '', extras: [], groups: [] })}
      >
        {trans.__('Capture the local environment')}
      </Button>
      {busy && <span role="status">{trans.__('Reading…')}</span>}
      {failure && <Problem error={failure} />}
      {choices('extras')}
      {choices('groups')}
      {found && (
        <LeftOutList
          title={trans.__('Not taken over from %1:', found.source)}
          items={found.left_out ?? []}
        />
      )}
    </div>
  );
}
