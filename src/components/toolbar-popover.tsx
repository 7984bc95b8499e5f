import * as React from 'react';

/**
 * A popover in a toolbar.
 *
 * A toolbar takes its buttons out of the order of Tab and goes through them by arrow keys. So the
 * popover takes the focus when it opens, goes through its own buttons by Tab, and gives the focus
 * back at Escape.
 */
export function ToolbarPopover(props: {
  label: string;
  onClose: () => void;
  children: React.ReactNode;
}): React.ReactElement {
  const { label, onClose, children } = props;
  const node = React.useRef<HTMLDivElement>(null);
  const before = React.useRef<Element | null>(null);
  const buttons = () =>
    Array.from(
      node.current?.querySelectorAll<HTMLElement>('button:not(:disabled)') ?? []
    );
  React.useEffect(() => {
    before.current = document.activeElement;
    (buttons()[0] ?? node.current)?.focus();
  }, []);
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      onClose();
      (before.current as HTMLElement | null)?.focus();
    } else if (event.key === 'Tab') {
      event.preventDefault();
      const all = buttons();
      const at = all.indexOf(document.activeElement as HTMLElement);
      const next = at + (event.shiftKey ? -1 : 1);
      all[(next + all.length) % all.length]?.focus();
    }
  };
  return (
    // The keys are those of a dialog, which has no element of its own here.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      ref={node}
      className="jp-MLOpsChip-popover"
      role="dialog"
      aria-label={label}
      tabIndex={-1}
      onKeyDown={onKeyDown}
    >
      {children}
    </div>
  );
}
