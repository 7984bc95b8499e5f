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

/** A labelled text: of one line, or of `rows` lines where these are given. */
export function TextField(props: {
  label: string;
  help?: string;
  error?: string;
  value: string;
  rows?: number;
  type?: 'text' | 'date';
  inputMode?: 'decimal' | 'numeric';
  placeholder?: string;
  disabled?: boolean;
  onChange: (text: string) => void;
}): React.ReactElement {
  const { label, help, error, rows, type, inputMode, onChange, ...same } =
    props;
  return (
    <Field label={label} help={help} error={error}>
      {(id, by) => {
        const control = {
          ...same,
          id,
          'aria-describedby': by,
          'aria-invalid': !!error,
          className: 'jp-mod-styled',
          spellCheck: false,
          onChange: (
            event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>
          ) => onChange(event.target.value)
        };
        return rows ? (
          <textarea {...control} rows={rows} />
        ) : (
          <input {...control} type={type} inputMode={inputMode} />
        );
      }}
    </Field>
  );
}
