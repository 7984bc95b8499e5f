import {
  Dialog,
  InputDialog,
  ReactWidget,
  showDialog
} from '@jupyterlab/apputils';
import * as React from 'react';

import { describedBy, ICommandContext, target } from './context';
import { CommandIDs } from './ids';
import { follow, tell } from './notify';

/** Commands on the team's project. */
export function addSharingCommands(context: ICommandContext): void {
  const { app, mlops, trans } = context;
  const { commands } = app;
  const showLog = (id: string) =>
    void commands.execute(CommandIDs.showOperation, { id });

  commands.addCommand(CommandIDs.publish, {
    label: trans.__('Publish…'),
    caption: trans.__('Put the snapshot into the team’s project'),
    describedBy: describedBy({
      id: { type: 'string', description: 'The id of the snapshot.' }
    }),
    execute: async args => {
      const id = target(app, args, 'id', 'snapshot');
      const snapshot = mlops.snapshots.items.find(s => s.id === id);
      if (!snapshot) {
        return;
      }
      const project =
        mlops.catalogue.project ||
        (await commands.execute(CommandIDs.chooseProject));
      if (!project) {
        return;
      }
      const allow = await Private.review(context, id, snapshot.name);
      if (!allow) {
        return;
      }
      await follow({
        mlops,
        trans,
        showLog,
        start: () => mlops.client.publish(id, project, allow),
        busy: trans.__('Publishing %1…', snapshot.name),
        done: trans.__('%1 is in %2.', snapshot.name, project)
      });
    }
  });

  commands.addCommand(CommandIDs.chooseProject, {
    label: trans.__('Choose Team Project…'),
    caption: trans.__(
      'Choose the place in a registry where the team’s snapshots are'
    ),
    describedBy: describedBy(),
    execute: async () => {
      const { button, value } = await InputDialog.getText({
        title: trans.__('Team project'),
        label: trans.__('Registry, team and name'),
        placeholder: trans.__('registry.example.com/team/project'),
        text: mlops.catalogue.project
      });
      if (!button.accept || !value) {
        return '';
      }
      mlops.catalogue.project = value.trim();
      return mlops.catalogue.project;
    }
  });
}

namespace Private {
  /**
   * Let the user decide on what looks like a secret.
   *
   * Resolves with the paths that may travel, or null when nothing shall.
   */
  export async function review(
    context: ICommandContext,
    id: string,
    name: string
  ): Promise<string[] | null> {
    const { mlops, trans } = context;
    try {
      const findings = await mlops.client.findings(id);
      if (!findings.length) {
        return [];
      }
      const { button } = await showDialog({
        title: trans.__('This looks like a secret'),
        body: ReactWidget.create(
          <div className="jp-MLOpsFindings">
            <p>
              {trans.__(
                'Everyone who may read the project will be able to read these lines of %1.',
                name
              )}
            </p>
            <ul>
              {findings.map(finding => (
                <li key={`${finding.path}-${finding.line}-${finding.rule}`}>
                  <b>{finding.rule}</b> {finding.path}:{finding.line}{' '}
                  <code>{finding.excerpt}</code>
                </li>
              ))}
            </ul>
            <p>
              {trans.__(
                'To leave them out, remove them from the files and freeze again.'
              )}
            </p>
          </div>
        ),
        buttons: [
          Dialog.cancelButton({ label: trans.__('Do not publish') }),
          Dialog.warnButton({ label: trans.__('It’s fine, publish') })
        ]
      });
      return button.accept
        ? Array.from(new Set(findings.map(finding => finding.path)))
        : null;
    } catch (reason) {
      await tell(trans.__('%1 was not published', name), reason, trans);
      return null;
    }
  }
}
