/** All commands of this extension. Arguments are described where they are added. */
export namespace CommandIDs {
  export const newEnvironment = 'mlops:new-environment';
  export const editEnvironment = 'mlops:edit-environment';
  export const addToEnvironment = 'mlops:add-to-environment';
  export const deleteEnvironment = 'mlops:delete-environment';
  export const showRevisions = 'mlops:show-revisions';
  export const activateRevision = 'mlops:activate-revision';
  export const deleteRevision = 'mlops:delete-revision';
  export const deleteOldRevisions = 'mlops:delete-old-revisions';
  export const newBase = 'mlops:new-base';
  export const newNotebook = 'mlops:new-notebook';
  export const newNotebookLimited = 'mlops:new-notebook-limited';

  export const limits = 'mlops:limits';
  export const openKernel = 'mlops:open-kernel';
  export const shutDownKernel = 'mlops:shut-down-kernel';

  export const freeze = 'mlops:freeze';
  export const openSnapshot = 'mlops:open-snapshot';
  export const publish = 'mlops:publish-snapshot';
  export const reproduce = 'mlops:reproduce-snapshot';
  export const deleteSnapshot = 'mlops:delete-snapshot';
  export const showReport = 'mlops:show-report';

  export const chooseProject = 'mlops:choose-project';
  export const openFromCatalogue = 'mlops:open-from-catalogue';

  export const exportModel = 'mlops:export-model';
  export const modelCard = 'mlops:model-card';
  export const showDeployment = 'mlops:show-deployment';
  export const turnDeployment = 'mlops:turn-deployment';
  export const updateDeployment = 'mlops:update-deployment';
  export const rollBackDeployment = 'mlops:roll-back-deployment';
  export const reviewDeployment = 'mlops:review-deployment';
  export const deleteDeployment = 'mlops:delete-deployment';

  export const showOperation = 'mlops:show-operation';
  export const cancelOperation = 'mlops:cancel-operation';
  export const showActivity = 'mlops:show-activity';
  export const refresh = 'mlops:refresh';
}
