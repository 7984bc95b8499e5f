import * as React from 'react';

/** A labelled control, with what it is for and what is wrong with it. */
export function Field(props: {
  label: string;
  help?: string;
  error?: string;
  children: (id: string, describedBy: string | undefined) => React.ReactNode;
}): React.ReactElement {
  const { label, help, error, children } = props;
  const id = React.useId();
  const described = help || error ? `${id}-help` : undefined;
  return (
    <div className="jp-MLOpsField">
      <label htmlFor={id}>{label}</label>
      {children(id, described)}
      {described && (
        <div
          id={described}
          className={
            error ? 'jp-MLOpsField-help jp-mod-bad' : 'jp-MLOpsField-help'
          }
        >
          {error || help}
        </div>
      )}
    </div>
  );
}
