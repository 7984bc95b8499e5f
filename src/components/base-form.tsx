import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

import { MlopsError } from '../api/error';
import { isName } from '../models/environment-draft';
import type { IMlops } from '../tokens';
import { TextField } from './field';
import { useChanges } from './list';
import { Problem } from './problem';

/** Make a base image of a Dockerfile: a file of the workspace, or its text. */
export function BaseForm(props: {
  model: IMlops;
  trans: TranslationBundle;
  /** Let the user choose a Dockerfile; null when there is none to choose. */
  pickFile: () => Promise<string | null>;
  /** The build was started. */
  onBuilding: (operation: string) => void;
}): React.ReactElement {
  const { model, trans, pickFile, onBuilding } = props;
  useChanges(model.bases);
  const [name, setName] = React.useState('');
  const [path, setPath] = React.useState('');
  const [text, setText] = React.useState('');
  const [tried, setTried] = React.useState(false);
  const [busy, setBusy] = React.useState(false);
  const [failure, setFailure] = React.useState<MlopsError | null>(null);
  React.useEffect(() => {
    void model.bases.refresh();
  }, [model]);

  const taken = model.bases.items.some(base => base.name === name);
  const wrongName = !isName(name)
    ? trans.__(
        'Use 1 to 40 lower-case letters, digits and hyphens, beginning and ending with a letter or digit.'
      )
    : taken
      ? trans.__('There is a base image of that name.')
      : '';
  const both = !!path.trim() && !!text.trim();
  const wrongPath = both
    ? trans.__('Give the file or its text, not both.')
    : !path.trim() && !text.trim()
      ? trans.__('Choose a Dockerfile, or paste one below.')
      : '';

  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (wrongName || wrongPath) {
      return;
    }
    setBusy(true);
    setFailure(null);
    try {
      const operation = await model.client.createBase({
        kind: 'dockerfile',
        name,
        ...(path.trim() ? { path: path.trim() } : { text })
      });
      model.operations.track(operation);
      onBuilding(operation.id);
    } catch (reason) {
      setFailure(MlopsError.from(reason));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      className="jp-MLOpsForm jp-MLOpsPage jp-mod-base"
      onSubmit={submit}
      noValidate
    >
      <h2>{trans.__('New base image')}</h2>
      <p>
        {trans.__(
          'An image of your own that environments start from. Environments add Python and their packages to it.'
        )}
      </p>
      <div className="jp-MLOpsForm-fields jp-mod-narrow">
        <TextField
          label={trans.__('Name')}
          help={trans.__('Lower-case letters, digits and hyphens.')}
          error={tried ? wrongName : ''}
          value={name}
          onChange={setName}
        />
        <TextField
          label={trans.__('Dockerfile')}
          help={trans.__(
            'A file of the workspace. COPY finds the files of its folder.'
          )}
          error={tried ? wrongPath : ''}
          placeholder="docker/Dockerfile"
          value={path}
          onChange={setPath}
        />
        <div className="jp-MLOpsForm-import">
          <Button
            type="button"
            small
            minimal
            onClick={async () => {
              const chosen = await pickFile();
              if (chosen) {
                setPath(chosen);
              }
            }}
          >
            {trans.__('Choose a file…')}
          </Button>
        </div>
        <TextField
          label={trans.__('Or paste it')}
          help={trans.__('Without files beside it: COPY finds nothing.')}
          placeholder={'FROM debian:bookworm\nRUN apt-get update && …'}
          rows={8}
          value={text}
          onChange={setText}
        />
        {failure && <Problem error={failure} />}
        <Button
          type="submit"
          className="jp-mod-styled jp-mod-accept"
          disabled={busy}
        >
          {trans.__('Build base image')}
        </Button>
      </div>
    </form>
  );
}
