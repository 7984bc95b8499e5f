import { ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  FilterBox,
  IFilterBoxProps,
  PanelWithToolbar,
  SidePanel,
  ToolbarButton,
  addIcon,
  deleteIcon,
  refreshIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { AccordionPanel, PanelLayout } from '@lumino/widgets';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { CatalogueList } from '../components/catalogue-list';
import { DeploymentList } from '../components/deployment-list';
import { EngineLine } from '../components/engine-line';
import { EnvironmentList } from '../components/environment-list';
import { KernelList } from '../components/kernel-list';
import { SnapshotList } from '../components/snapshot-list';
import { layersIcon } from '../icons';
import type { IMlops } from '../tokens';

type ListComponent = (props: {
  model: IMlops;
  filter: string;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}) => React.ReactElement;

/** The left sidebar: environments, snapshots, catalogue, deployments, activity. */
export class MlopsSidebar extends SidePanel {
  constructor(options: MlopsSidebar.IOptions) {
    super();
    this._model = options.model;
    this._trans = options.trans;
    this._commands = options.commands;
    const trans = this._trans;
    this.id = 'jupyter-mlops-sidebar';
    this.addClass('jp-MLOpsSidebar');
    this.title.icon = layersIcon;
    this.title.caption = trans.__('Environments');
    this.title.dataset = { jpTabLabel: trans.__('Environments') };
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Environments panel'));

    this.header.addWidget(this._makeFilter());
    this._addSection(trans.__('Environments'), EnvironmentList, [
      this._button(addIcon, trans.__('New environment'), () =>
        this._run(CommandIDs.newEnvironment)
      ),
      this._button(
        deleteIcon,
        trans.__('Delete old revisions that nothing needs'),
        () => this._run(CommandIDs.deleteOldRevisions)
      ),
      this._button(refreshIcon, trans.__('Refresh'), () =>
        this._run(CommandIDs.refresh)
      )
    ]);
    this._addSection(trans.__('Kernels'), KernelList);
    this._addSection(trans.__('Snapshots'), SnapshotList);
    this._addSection(trans.__('Team catalogue'), CatalogueList);
    this._addSection(trans.__('Deployments'), DeploymentList);
    // Environments are what people look at most.
    (this.content as AccordionPanel).setRelativeSizes([5, 2, 4, 3, 3]);
    const engine = ReactWidget.create(
      <EngineLine model={this._model} trans={trans} run={this._run} />
    );
    engine.addClass('jp-MLOpsSidebar-engine');
    (this.layout as PanelLayout).addWidget(engine);
  }

  protected onBeforeShow(msg: Message): void {
    super.onBeforeShow(msg);
    this._model.start();
  }

  protected onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this.node
      .querySelector<HTMLElement>('.jp-MLOpsSidebar-filter jp-search')
      ?.focus();
  }

  private _addSection(
    title: string,
    component: ListComponent,
    buttons: ToolbarButton[] = []
  ): void {
    const panel = new PanelWithToolbar();
    panel.addClass('jp-MLOpsSection');
    panel.title.label = title;
    panel.toolbar.node.setAttribute('aria-label', title);
    buttons.forEach((button, index) => {
      panel.toolbar.addItem(`button-${index}`, button);
    });
    panel.addWidget(
      ReactWidget.create(
        <Filtered
          filter={this._filter}
          component={component}
          model={this._model}
          trans={this._trans}
          run={this._run}
        />
      )
    );
    this.addWidget(panel);
  }

  private _button(
    icon: typeof addIcon,
    label: string,
    onClick: () => void
  ): ToolbarButton {
    return new ToolbarButton({ icon, tooltip: label, onClick });
  }

  private _makeFilter(): ReactWidget {
    const props: IFilterBoxProps = {
      placeholder: this._trans.__('Filter environments and snapshots…'),
      updateFilter: (_, query) => this._filter.set((query ?? '').toLowerCase()),
      useFuzzyFilter: false,
      caseSensitive: false
    };
    const widget = ReactWidget.create(<FilterBox {...props} />);
    widget.addClass('jp-MLOpsSidebar-filter');
    return widget;
  }

  private _run = (command: string, args: Record<string, any> = {}): void => {
    void this._commands.execute(command, args);
  };

  private _commands: CommandRegistry;
  private _filter = new Private.Value('');
  private _model: IMlops;
  protected _trans: TranslationBundle;
}

export namespace MlopsSidebar {
  export interface IOptions {
    model: IMlops;
    commands: CommandRegistry;
    trans: TranslationBundle;
  }
}

function Filtered(props: {
  filter: Private.Value<string>;
  component: ListComponent;
  model: IMlops;
  trans: TranslationBundle;
  run: (command: string, args?: Record<string, any>) => void;
}): React.ReactElement {
  const { filter, component: Component, ...rest } = props;
  const query = React.useSyncExternalStore(filter.subscribe, filter.get);
  return <Component filter={query} {...rest} />;
}

namespace Private {
  /** A value that React components can follow. */
  export class Value<T> {
    constructor(private _value: T) {}

    get = (): T => this._value;

    set(value: T): void {
      this._value = value;
      this._listeners.forEach(listener => listener());
    }

    subscribe = (listener: () => void): (() => void) => {
      this._listeners.add(listener);
      return () => this._listeners.delete(listener);
    };

    private _listeners = new Set<() => void>();
  }
}
