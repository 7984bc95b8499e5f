import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  MainAreaWidget,
  ReactWidget,
  WidgetTracker
} from '@jupyterlab/apputils';
import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { layersIcon } from '../icons';

/** A page in the main area. Opening one with an id that is open shows that one. */
export class Pages {
  constructor(private _app: JupyterFrontEnd) {}

  /** All pages of this extension. */
  readonly tracker = new WidgetTracker<MainAreaWidget>({
    namespace: 'jupyter-mlops-pages'
  });

  open(options: Pages.IOptions): void {
    const { id, label, icon, content, onClose } = options;
    const found = this.tracker.find(widget => widget.id === id);
    if (found) {
      this._app.shell.activateById(id);
      return;
    }
    const body = ReactWidget.create(<>{content}</>);
    body.addClass('jp-MLOpsMain');
    const widget = new MainAreaWidget({ content: body });
    widget.id = id;
    widget.title.label = label;
    widget.title.caption = label;
    widget.title.icon = icon ?? layersIcon;
    widget.title.closable = true;
    widget.node.setAttribute('role', 'region');
    widget.node.setAttribute('aria-label', label);
    if (onClose) {
      widget.disposed.connect(onClose);
    }
    void this.tracker.add(widget);
    this._app.shell.add(widget, 'main', {
      activate: true,
      type: 'Environments'
    });
  }

  close(id: string): void {
    this.tracker.find(widget => widget.id === id)?.close();
  }
}

export namespace Pages {
  export interface IOptions {
    id: string;
    label: string;
    icon?: LabIcon;
    content: React.ReactElement;
    onClose?: () => void;
  }
}
