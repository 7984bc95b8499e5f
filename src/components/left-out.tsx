import * as React from 'react';

import type { LeftOut } from '../api/nouns';

/** What is not taken over into an environment, each with its reason. */
export function LeftOutList(props: {
  title: string;
  items: readonly LeftOut[];
}): React.ReactElement | null {
  const { title, items } = props;
  if (!items.length) {
    return null;
  }
  return (
    <section className="jp-MLOpsLeftOut" aria-label={title}>
      <p>{title}</p>
      <ul>
        {items.map(({ name, reason }, index) => (
          <li key={`${name}-${index}`}>
            <b>{name}</b>: {reason}
          </li>
        ))}
      </ul>
    </section>
  );
}
