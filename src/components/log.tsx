import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

/** A log to read and to search. */
export function Log(props: {
  text: string;
  /** Whether its end stays in sight while it grows. */
  follow: boolean;
  trans: TranslationBundle;
}): React.ReactElement {
  const { text, follow, trans } = props;
  const [query, setQuery] = React.useState('');
  const node = React.useRef<HTMLPreElement>(null);
  const lines = query
    ? text
        .split('\n')
        .filter(line => line.toLowerCase().includes(query.toLowerCase()))
        .join('\n')
    : text;
  React.useLayoutEffect(() => {
    if (follow && !query && node.current) {
      node.current.scrollTop = node.current.scrollHeight;
    }
  }, [lines, follow, query]);
  return (
    <section className="jp-MLOpsLog" aria-label={trans.__('Log')}>
      <input
        className="jp-mod-styled jp-MLOpsLog-search"
        type="search"
        placeholder={trans.__('Find in log')}
        aria-label={trans.__('Find in log')}
        value={query}
        onChange={event => setQuery(event.target.value)}
      />
      <pre ref={node} className="jp-MLOpsLog-text" tabIndex={0}>
        {lines || trans.__('No output yet.')}
      </pre>
    </section>
  );
}
