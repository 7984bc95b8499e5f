import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { FreezePreview } from '../api/nouns';
import { formatBytes } from '../format';
import { DiffTable } from './checks';
import { Field } from './field';

/** What the freeze dialog asks. */
export interface IFreezeAnswer {
  name: string;
  note: string;
  exclude: string[];
}

/** What a snapshot will hold, what stays out, and what it is called. */
export function FreezeForm(props: {
  preview: FreezePreview;
  answer: IFreezeAnswer;
  trans: TranslationBundle;
  onChange: (answer: IFreezeAnswer) => void;
}): React.ReactElement {
  const { preview, trans, onChange } = props;
  const [answer, setAnswer] = React.useState(props.answer);
  const change = (part: Partial<IFreezeAnswer>) => {
    const next = { ...answer, ...part };
    setAnswer(next);
    onChange(next);
  };
  const toggle = (path: string) =>
    change({
      exclude: answer.exclude.includes(path)
        ? answer.exclude.filter(other => other !== path)
        : [...answer.exclude, path]
    });
  const taken = preview.files.filter(
    file => file.included && !answer.exclude.includes(file.path)
  );
  const size = taken.reduce((sum, file) => sum + file.size, 0);
  const tooMuch = size > preview.cap;
  return (
    <div className="jp-MLOpsFreeze">
      <Field
        label={trans.__('Name')}
        help={trans.__('Lower-case letters, digits and hyphens.')}
      >
        {(id, by) => (
          <input
            id={id}
            aria-describedby={by}
            className="jp-mod-styled"
            value={answer.name}
            onChange={event => change({ name: event.target.value })}
          />
        )}
      </Field>
      <Field label={trans.__('Note')}>
        {id => (
          <input
            id={id}
            className="jp-mod-styled"
            value={answer.note}
            onChange={event => change({ note: event.target.value })}
          />
        )}
      </Field>
      <details open>
        <summary>
          {preview.revision
            ? trans.__(
                'Environment: %1 r%2 and what changed since',
                preview.environment,
                preview.revision
              )
            : trans.__('Environment: what changed since')}
        </summary>
        <DiffTable diff={preview.drift} trans={trans} />
      </details>
      <details open>
        <summary>
          {trans._n(
            'Files: %1 file, %2 of at most %3',
            'Files: %1 files, %2 of at most %3',
            taken.length,
            formatBytes(size),
            formatBytes(preview.cap)
          )}
        </summary>
        {tooMuch && (
          <p className="jp-MLOpsField-help jp-mod-bad" role="alert">
            {trans.__('Leave out large files to get below the limit.')}
          </p>
        )}
        <ul className="jp-MLOpsFreeze-files">
          {preview.files.map(file => (
            <li
              key={file.path}
              className={file.included ? '' : 'jp-mod-ignored'}
            >
              <label>
                <input
                  type="checkbox"
                  disabled={!file.included}
                  checked={file.included && !answer.exclude.includes(file.path)}
                  onChange={() => toggle(file.path)}
                />
                <span className="jp-MLOpsFreeze-path">{file.path}</span>
                <span className="jp-MLOpsFreeze-size">
                  {file.included ? formatBytes(file.size) : file.reason}
                </span>
              </label>
            </li>
          ))}
        </ul>
      </details>
      <details>
        <summary>{trans.__('Not included')}</summary>
        <p>
          {trans.__(
            'Your home folder, files outside this project, temporary files, passwords and tokens never become part of a snapshot.'
          )}
        </p>
      </details>
    </div>
  );
}
