import * as React from 'react';

/**
 * Do something at once and again every `interval` milliseconds, while the node can be seen.
 *
 * What nobody sees costs the server nothing: a hidden panel, a closed section, another tab.
 */
export function useWhileSeen(
  node: React.RefObject<HTMLElement>,
  interval: number,
  work: () => Promise<unknown>
): void {
  const latest = React.useRef(work);
  latest.current = work;
  React.useEffect(() => {
    let stopped = false;
    let timer = 0;
    const turn = async () => {
      if (isSeen(node.current)) {
        await latest.current();
      }
      if (!stopped) {
        timer = window.setTimeout(turn, interval);
      }
    };
    void turn();
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [node, interval]);
}

function isSeen(node: HTMLElement | null): boolean {
  return (
    document.visibilityState === 'visible' && !!node?.getClientRects().length
  );
}
