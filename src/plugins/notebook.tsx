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
import { ToolbarButtonComponent } from '@jupyterlab/ui-components';
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
    const execute = (panel: NotebookPanel, command: string) => {
      app.shell.activateById(panel.id);
      void app.commands.execute(command);
    };
    registry.addFactory<NotebookPanel>(
      'Notebook',
      'mlops-environment',
      panel => {
        const kernel = new NotebookKernel(panel.sessionContext, mlops.client);
        const widget = ReactWidget.create(
          <>
            <EnvironmentChip
              kernel={kernel}
              trans={trans}
              onFreeze={() => execute(panel, CommandIDs.freeze)}
              onSwitch={() => void dialogs.selectKernel(panel.sessionContext)}
            />
            <Buttons
              kernel={kernel}
              freeze={trans.__('Freeze')}
              exportModel={trans.__('Export to SageMaker')}
              run={command => execute(panel, command)}
            />
          </>
        );
        widget.addClass('jp-MLOpsToolbar');
        widget.disposed.connect(() => kernel.dispose());
        return widget;
      }
    );
  }
};

/** The two actions, shown only for kernels that are ours. */
function Buttons(props: {
  kernel: NotebookKernel;
  freeze: string;
  exportModel: string;
  run: (command: string) => void;
}): React.ReactElement | null {
  const { kernel, freeze, exportModel, run } = props;
  useChanges(kernel);
  if (!kernel.pointer) {
    return null;
  }
  return (
    <>
      <ToolbarButtonComponent
        icon={freezeIcon}
        label={freeze}
        tooltip={freeze}
        onClick={() => run(CommandIDs.freeze)}
      />
      <ToolbarButtonComponent
        icon={exportIcon}
        label={exportModel}
        tooltip={exportModel}
        onClick={() => run(CommandIDs.exportModel)}
      />
    </>
  );
}
