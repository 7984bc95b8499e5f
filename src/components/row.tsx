import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

export type Tone = 'good' | 'busy' | 'bad' | 'idle';

export interface IRowAction {
  label: string;
  onClick: () => void;
  disabled?: boolean;
}

/** Where a row's context menu finds what it stands for. */
export interface IRowData {
  noun:
    | 'environment'
    | 'revision'
    | 'snapshot'
    | 'entry'
    | 'deployment'
    | 'operation'
    | 'kernel';
  id: string;
}

/** One thing in a list: a state, a title, facts, and what can be done with it. */
export function Row(props: Row.IProps): React.ReactElement {
  const { tone, state, title, meta, detail, actions, data, children } = props;
  return (
    <li
      className="jp-MLOpsRow"
      data-mlops-noun={data.noun}
      data-mlops-id={data.id}
    >
      <div className="jp-MLOpsRow-head">
        <span
          className={`jp-MLOpsRow-state jp-mod-${tone}`}
          role="img"
          aria-label={state}
          title={state}
        />
        <span className="jp-MLOpsRow-title" title={title}>
          {title}
        </span>
        <span className="jp-MLOpsRow-meta">{meta}</span>
      </div>
      {detail && <div className="jp-MLOpsRow-detail">{detail}</div>}
      {children}
      {actions.length > 0 && (
        <div className="jp-MLOpsRow-actions">
          {actions.map(action => (
            <Button
              key={action.label}
              small
              minimal
              className="jp-MLOpsRow-action"
              disabled={action.disabled}
              aria-label={`${action.label}: ${title}`}
              onClick={action.onClick}
            >
              {action.label}
            </Button>
          ))}
        </div>
      )}
    </li>
  );
}

export namespace Row {
  export interface IProps {
    tone: Tone;
    /** What the dot means, in words. */
    state: string;
    title: string;
    meta?: React.ReactNode;
    detail?: React.ReactNode;
    actions: IRowAction[];
    data: IRowData;
    children?: React.ReactNode;
  }
}
