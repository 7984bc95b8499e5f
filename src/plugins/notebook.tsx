import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ISessionContextDialogs,
  IToolbarWidgetRegistry,
  ReactWidget,
  SessionContextDialogs
} from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { LabIcon, ToolbarButtonComponent } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { EnvironmentChip } from '../components/environment-chip';
import { useChanges } from '../components/list';
import { exportIcon, freezeIcon } from '../icons';
import { NotebookKernel } from '../models/notebook-kernel';
import { IMlops } from '../tokens';

/** The notebook toolbar: environment, changes, Freeze, Export. */
export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:notebook',
  description: 'Adds the environment of a notebook to its toolbar.',
  autoStart: true,
  requires: [IMlops, IToolbarWidgetRegistry],
  optional: [ITranslator, ISessionContextDialogs],
  activate: (
    app: JupyterFrontEnd,
    mlops: IMlops,
    registry: IToolbarWidgetRegistry,
    translator: ITranslator | null,
    sessionDialogs: ISessionContextDialogs | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const dialogs =
      sessionDialogs ??
      new SessionContextDialogs({ translator: translator ?? nullTranslator });
    const execute = (
      panel: NotebookPanel,
      command: string,
      args: ReadonlyPartialJSONObject = {}
    ) => {
      app.shell.activateById(panel.id);
      void app.commands.execute(command, args);
    };
    // One model a notebook, shared by its toolbar items.
    const kernels = new WeakMap<NotebookPanel, NotebookKernel>();
    const kernelOf = (panel: NotebookPanel): NotebookKernel => {
      let kernel = kernels.get(panel);
      if (!kernel) {
        kernel = new NotebookKernel(panel.sessionContext, mlops.client);
        kernels.set(panel, kernel);
        panel.disposed.connect(() => kernels.get(panel)?.dispose());
      }
      return kernel;
    };
    const add = (
      name: string,
      content: (panel: NotebookPanel) => React.ReactElement
    ) =>
      registry.addFactory<NotebookPanel>('Notebook', name, panel => {
        const widget = ReactWidget.create(content(panel));
        widget.addClass('jp-MLOpsToolbar');
        return widget;
      });
    add('mlops-environment', panel => (
      <EnvironmentChip
        kernel={kernelOf(panel)}
        trans={trans}
        onAdd={() =>
          execute(panel, CommandIDs.addToEnvironment, {
            name: kernelOf(panel).pointer?.environment ?? '',
            kernel: kernelOf(panel).kernelId
          })
        }
        onFreeze={() => execute(panel, CommandIDs.freeze)}
        onLimits={() => execute(panel, CommandIDs.limits)}
        onSwitch={() => void dialogs.selectKernel(panel.sessionContext)}
      />
    ));
    add('mlops-freeze', panel => (
      <Action
        kernel={kernelOf(panel)}
        icon={freezeIcon}
        label={trans.__('Freeze')}
        onClick={() => execute(panel, CommandIDs.freeze)}
      />
    ));
    add('mlops-export', panel => (
      <Action
        kernel={kernelOf(panel)}
        icon={exportIcon}
        label={trans.__('Export to SageMaker')}
        onClick={() => execute(panel, CommandIDs.exportModel)}
      />
    ));
  }
};

/** A button that is shown only for kernels that are ours. */
function Action(props: {
  kernel: NotebookKernel;
  icon: LabIcon;
  label: string;
  onClick: () => void;
}): React.ReactElement | null {
  const { kernel, icon, label, onClick } = props;
  useChanges(kernel);
  return kernel.pointer ? (
    <ToolbarButtonComponent
      icon={icon}
      label={label}
      tooltip={label}
      onClick={onClick}
    />
  ) : null;
}
