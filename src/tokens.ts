import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { MlopsClient } from './api/client';
import type {
  Base,
  Deployment,
  Environment,
  IEngine,
  KernelStatus,
  SecretRequest,
  Snapshot
} from './api/nouns';
import type { CatalogueModel } from './models/catalogue';
import type { Collection } from './models/collection';
import type { OperationsModel } from './models/operations';

/** What happened to the container of a kernel. */
export interface IKernelEvent {
  kernel_id: string;
  reason: 'out_of_memory' | 'child_out_of_memory' | 'crashed' | 'engine_gone';
  message: string;
  hint: string;
  /** Bytes of memory it may use; 0 or missing where there is no limit. */
  limit?: number;
}

/** Environments, snapshots, deployments and the work on them. */
export interface IMlops {
  readonly client: MlopsClient;
  /** One item once it is known. */
  readonly engine: Collection<IEngine>;
  readonly bases: Collection<Base>;
  readonly environments: Collection<Environment>;
  readonly snapshots: Collection<Snapshot>;
  readonly catalogue: CatalogueModel;
  readonly deployments: Collection<Deployment>;
  readonly operations: OperationsModel;
  /** Refreshed by those who show them, while they are seen. */
  readonly kernels: Collection<KernelStatus>;
  /** Kernels that wait for secrets; refreshed when the server says that there are others. */
  readonly secrets: Collection<SecretRequest>;
  readonly kernelEvent: ISignal<any, IKernelEvent>;
  /** Begin to watch the server; calls after the first do nothing. */
  start(): void;
  /** Look at everything again. */
  refresh(): Promise<void>;
  refreshKernelSpecs(): Promise<void>;
}

export const IMlops = new Token<IMlops>(
  'jupyter-mlops:IMlops',
  'The environments, snapshots and deployments of this server, and the work on them.'
);
