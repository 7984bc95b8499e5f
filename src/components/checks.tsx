import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ContractReport, InventoryDiff } from '../api/nouns';
import { formatSeconds } from '../format';

/** The contract report: each check with what was seen, or what to do. */
export function Checks(props: {
  report: ContractReport;
  trans: TranslationBundle;
}): React.ReactElement {
  const { report, trans } = props;
  const failed = report.checks.filter(check => !check.passed).length;
  return (
    <section
      className="jp-MLOpsChecks"
      aria-label={trans.__('Contract report')}
    >
      <p
        className={`jp-MLOpsChecks-verdict jp-mod-${failed ? 'bad' : 'good'}`}
        role="status"
      >
        {failed
          ? trans._n(
              '%1 check failed: this image would not run.',
              '%1 checks failed: this image would not run.',
              failed
            )
          : trans.__(
              'All %1 checks passed: it runs as it will on SageMaker.',
              report.checks.length
            )}
      </p>
      {(report.notes ?? []).map(note => (
        <p key={note} className="jp-MLOpsField-help jp-mod-warn">
          {note}
        </p>
      ))}
      <ul>
        {report.checks.map(check => (
          <li
            key={check.name}
            className={check.passed ? 'jp-mod-good' : 'jp-mod-bad'}
          >
            <span
              className="jp-MLOpsChecks-mark"
              role="img"
              aria-label={
                check.passed ? trans.__('passed') : trans.__('failed')
              }
            >
              {check.passed ? '✓' : '✕'}
            </span>
            <span className="jp-MLOpsChecks-title">{check.title}</span>
            <span className="jp-MLOpsChecks-time">
              {(check.seconds ?? 0) >= 0.1 && formatSeconds(check.seconds ?? 0)}
            </span>
            {check.detail && (
              <span className="jp-MLOpsChecks-detail">{check.detail}</span>
            )}
            {!check.passed && check.hint && (
              <span className="jp-MLOpsChecks-hint">{check.hint}</span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A package diff as a table. */
export function DiffTable(props: {
  diff: InventoryDiff;
  trans: TranslationBundle;
}): React.ReactElement {
  const { diff, trans } = props;
  const groups: [string, InventoryDiff['added']][] = [
    [trans.__('added'), diff.added],
    [trans.__('removed'), diff.removed],
    [trans.__('changed'), diff.changed],
    [trans.__('edited'), diff.patched]
  ];
  const rows = groups.flatMap(([word, changes]) =>
    (changes ?? []).map(change => ({ word, change }))
  );
  if (!rows.length) {
    return <p>{trans.__('Nothing differs.')}</p>;
  }
  return (
    <table className="jp-MLOpsDiff">
      <tbody>
        {rows.map(({ word, change }) => (
          <tr key={`${word}-${change.ecosystem}-${change.name}`}>
            <td>{word}</td>
            <td>{change.name}</td>
            <td>{[change.before, change.after].filter(Boolean).join(' → ')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
