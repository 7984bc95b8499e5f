import type {
  Additions,
  Base,
  Candidates,
  CatalogueEntry,
  Deletion,
  Deployment,
  Environment,
  EnvironmentSpec,
  Finding,
  FreezePreview,
  IDeploymentRequest,
  IEngine,
  IInvocation,
  Imported,
  InventoryDiff,
  IPackageRequest,
  KernelStatus,
  LimitChoice,
  LiveExport,
  LiveModels,
  Limits,
  ModelPackage,
  Operation,
  Plan,
  ReproduceReport,
  Revision,
  SecretRequest,
  Snapshot,
  TargetInfo
} from './nouns';
import { IPage, Requests } from './requests';

/**
 * The server's REST interface, verb by verb.
 *
 * Every method rejects with a `MlopsError`.
 */
export class MlopsClient extends Requests {
  engine(): Promise<IEngine> {
    return this._get('engine');
  }

  settings(): Promise<{ project: string; owner: string }> {
    return this._get('settings');
  }

  bases(): Promise<Base[]> {
    return this._all('bases');
  }

  createBase(body: {
    kind: 'debian' | 'pull' | 'dockerfile';
    name: string;
    ref?: string;
    /** Of a Dockerfile, or the folder it is in. */
    path?: string;
    /** A Dockerfile itself, in place of its path. */
    text?: string;
  }): Promise<Operation> {
    return this._post('bases', body);
  }

  environments(): Promise<Environment[]> {
    return this._all('environments');
  }

  createEnvironment(
    body: { spec: EnvironmentSpec } | { spec_text: string }
  ): Promise<Operation> {
    return this._post('environments', body);
  }

  /** Requirements of the file at `path`; of the server's own Python where that is empty. */
  importPackages(body: {
    path: string;
    extras: string[];
    groups: string[];
  }): Promise<Imported> {
    return this._post('imports', body);
  }

  /** What deleting an environment would take away. */
  deletion(name: string): Promise<Deletion> {
    return this._get(`environments/${encodeURIComponent(name)}/deletion`);
  }

  deleteEnvironment(name: string): Promise<Deletion> {
    return this._send('DELETE', `environments/${encodeURIComponent(name)}`);
  }

  /** What deleting one revision would take away. */
  revisionDeletion(name: string, revision: number): Promise<Deletion> {
    return this._get(
      `environments/${encodeURIComponent(name)}/revisions/${revision}/deletion`
    );
  }

  deleteRevision(name: string, revision: number): Promise<Deletion> {
    return this._send(
      'DELETE',
      `environments/${encodeURIComponent(name)}/revisions/${revision}`
    );
  }

  /** What deleting revisions that nothing needs would take away: of one environment, or of all. */
  oldRevisions(name: string): Promise<Deletion> {
    return name
      ? this._get(`environments/${encodeURIComponent(name)}/deletion`, {
          old: 'true'
        })
      : this._get('old-revisions');
  }

  deleteOldRevisions(name: string): Promise<Deletion> {
    return this._send(
      'DELETE',
      name
        ? `environments/${encodeURIComponent(name)}/revisions`
        : 'old-revisions'
    );
  }

  revisions(name: string): Promise<Revision[]> {
    return this._all(`environments/${encodeURIComponent(name)}/revisions`);
  }

  buildRevision(name: string, spec: EnvironmentSpec): Promise<Operation> {
    return this._post(`environments/${encodeURIComponent(name)}/revisions`, {
      spec
    });
  }

  /** A new revision: the active one and what was installed in a kernel. */
  addFromKernel(name: string, kernel: string): Promise<Operation> {
    return this._post(`environments/${encodeURIComponent(name)}/revisions`, {
      from_kernel: kernel
    });
  }

  activate(name: string, revision: number): Promise<Environment> {
    return this._post(
      `environments/${encodeURIComponent(name)}/revisions/${revision}/activate`
    );
  }

  kernel(id: string): Promise<KernelStatus> {
    return this._get(`kernels/${id}`);
  }

  /** Variables of the kernel's process that can be exported. */
  liveModels(id: string): Promise<LiveModels> {
    return this._get(`kernels/${id}/models`);
  }

  /** Write a variable into the project, with the notebook's own prediction. */
  exportLive(
    id: string,
    body: { model: string; sample: string; name: string }
  ): Promise<LiveExport> {
    return this._post(`kernels/${id}/models`, body);
  }

  kernels(): Promise<KernelStatus[]> {
    return this._all('kernels');
  }

  /** What was chosen for a notebook; `environment` is the name of the one it runs in. */
  limits(notebook: string, environment: string): Promise<LimitChoice> {
    return this._get('limits', { notebook, environment });
  }

  /** In force in the notebook's next container. */
  saveLimits(
    notebook: string,
    environment: string,
    limits: Limits
  ): Promise<LimitChoice> {
    return this._send('PUT', 'limits', { notebook, environment, limits });
  }

  /** Kernels that wait for secrets while they start. */
  secretRequests(): Promise<SecretRequest[]> {
    return this._all('secrets');
  }

  giveSecrets(kernel: string, values: Record<string, string>): Promise<void> {
    return this._send('PUT', `kernels/${kernel}/secrets`, { values });
  }

  /** The kernel does not start then. */
  refuseSecrets(kernel: string): Promise<void> {
    return this._send('DELETE', `kernels/${kernel}/secrets`);
  }

  drift(id: string): Promise<InventoryDiff> {
    return this._get(`kernels/${id}/drift`);
  }

  additions(id: string): Promise<Additions> {
    return this._get(`kernels/${id}/additions`);
  }

  preview(id: string): Promise<FreezePreview> {
    return this._get(`kernels/${id}/preview`);
  }

  snapshots(): Promise<Snapshot[]> {
    return this._all('snapshots');
  }

  freeze(body: {
    kernel: string;
    name: string;
    note: string;
    exclude: string[];
  }): Promise<Operation> {
    return this._post('snapshots', body);
  }

  deleteSnapshot(id: string): Promise<void> {
    return this._send('DELETE', `snapshots/${id}`);
  }

  findings(id: string): Promise<Finding[]> {
    return this._all(`snapshots/${id}/findings`);
  }

  publish(id: string, project: string, allow: string[]): Promise<Operation> {
    return this._post(`snapshots/${id}/publish`, { project, allow });
  }

  openSnapshot(id: string, directory: string): Promise<Operation> {
    return this._post(`snapshots/${id}/open`, { directory });
  }

  reproduce(id: string, into: string, network: boolean): Promise<Operation> {
    return this._post(`snapshots/${id}/reproduce`, { into, network });
  }

  report(id: string): Promise<ReproduceReport> {
    return this._get(`reports/${id}`);
  }

  catalogue(project: string): Promise<CatalogueEntry[]> {
    return this._all('catalogue', { project });
  }

  openFromCatalogue(
    project: string,
    id: string,
    directory: string
  ): Promise<Operation> {
    return this._post('catalogue/open', { project, id, directory });
  }

  diff(a: string, b: string): Promise<InventoryDiff> {
    return this._get('diff', { a, b });
  }

  candidates(snapshot: string): Promise<Candidates> {
    return this._get('packages/candidates', { snapshot });
  }

  packages(): Promise<ModelPackage[]> {
    return this._all('packages');
  }

  package(id: string): Promise<ModelPackage> {
    return this._get(`packages/${id}`);
  }

  createPackage(body: IPackageRequest): Promise<Operation> {
    return this._post('packages', body);
  }

  checkPackage(id: string): Promise<Operation> {
    return this._post(`packages/${id}/check`);
  }

  targets(): Promise<TargetInfo[]> {
    return this._all('targets');
  }

  deployments(): Promise<Deployment[]> {
    return this._all('deployments');
  }

  approvePackage(id: string): Promise<ModelPackage> {
    return this._post(`packages/${id}/approve`, {});
  }

  modelCard(id: string): Promise<{ markdown: string }> {
    return this._get(`packages/${id}/card`);
  }

  plan(body: IDeploymentRequest): Promise<Plan> {
    return this._post('deployments/plan', body);
  }

  deploy(body: IDeploymentRequest): Promise<Operation> {
    return this._post('deployments', body);
  }

  deployment(id: string): Promise<Deployment> {
    return this._get(`deployments/${id}`);
  }

  /** Ask for a prediction, so often; null is the recorded sample. */
  invoke(id: string, body: string | null, times = 1): Promise<IInvocation> {
    return this._post(
      `deployments/${id}/invoke`,
      body === null ? { times } : { body, times }
    );
  }

  deploymentLogs(id: string): Promise<{ text: string }> {
    return this._get(`deployments/${id}/logs`);
  }

  /** Stop a deployment that can be started again, or start it. */
  turnDeployment(id: string, verb: 'stop' | 'start'): Promise<Operation> {
    return this._post(`deployments/${id}/${verb}`, {});
  }

  /** Give a deployment another package; it goes on answering meanwhile. */
  updateDeployment(id: string, packageId: string): Promise<Operation> {
    return this._send('PATCH', `deployments/${id}`, { package: packageId });
  }

  /** Go back to what it was before its last update. */
  rollBackDeployment(id: string): Promise<Operation> {
    return this._post(`deployments/${id}/rollback`, {});
  }

  /** Approve or reject a version in a registry of models. */
  reviewDeployment(
    id: string,
    approved: boolean,
    note: string
  ): Promise<Deployment> {
    return this._post(`deployments/${id}/review`, { approved, note });
  }

  deleteDeployment(id: string): Promise<Operation> {
    return this._send('DELETE', `deployments/${id}`);
  }

  async operations(): Promise<Operation[]> {
    const page = await this._get<IPage<Operation>>('operations', { limit: 50 });
    return page.items;
  }

  operation(id: string): Promise<Operation> {
    return this._get(`operations/${id}`);
  }

  cancel(id: string): Promise<Operation> {
    return this._send('DELETE', `operations/${id}`);
  }

  operationLog(
    id: string,
    offset: number
  ): Promise<{ text: string; next: number }> {
    return this._get(`operations/${id}/log`, { offset });
  }
}
