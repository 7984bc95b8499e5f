import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ReproduceReport } from '../api/nouns';
import { formatSeconds } from '../format';

/** The report of a reproduction: verdict, levels, cells. */
export function ReportView(props: {
  report: ReproduceReport;
  trans: TranslationBundle;
}): React.ReactElement {
  const { report, trans } = props;
  const cells = report.notebooks.flatMap(notebook => notebook.cells);
  const same = cells.filter(cell => cell.verdict === 'same').length;
  const words = {
    same: trans.__('same'),
    different: trans.__('different'),
    failed: trans.__('failed'),
    not_run: trans.__('not run')
  };
  return (
    <div className="jp-MLOpsReport jp-MLOpsPage">
      <div role="status">
        <h2>
          {trans.__('Same results in %1 of %2 cells', same, cells.length)}
        </h2>
      </div>
      <p>{trans.__('Files: %1', report.directory)}</p>
      <ol className="jp-MLOpsReport-levels" aria-label={trans.__('Levels')}>
        {report.levels.map(level => (
          <li
            key={level.level}
            className={level.passed ? 'jp-mod-good' : 'jp-mod-bad'}
          >
            <span
              role="img"
              aria-label={
                level.passed ? trans.__('passed') : trans.__('failed')
              }
            >
              {level.passed ? '✓' : '✕'}
            </span>{' '}
            <b>{level.level}</b> {level.title}
            <span className="jp-MLOpsReport-detail">{level.detail}</span>
          </li>
        ))}
      </ol>
      {report.notebooks.map(notebook => (
        <section key={notebook.path}>
          <h3>{notebook.path}</h3>
          <ul className="jp-MLOpsReport-cells">
            {notebook.cells.map(cell => {
              const line = (
                <>
                  <span
                    className={`jp-MLOpsReport-verdict jp-mod-${cell.verdict}`}
                  >
                    {words[cell.verdict]}
                  </span>
                  <code>{cell.source}</code>
                  <span className="jp-MLOpsReport-time">
                    {formatSeconds(cell.seconds ?? 0)}
                  </span>
                </>
              );
              return (
                <li key={cell.index}>
                  {cell.difference ? (
                    <details>
                      <summary>{line}</summary>
                      <pre>{cell.difference}</pre>
                    </details>
                  ) : (
                    <div>{line}</div>
                  )}
                </li>
              );
            })}
          </ul>
        </section>
      ))}
    </div>
  );
}
