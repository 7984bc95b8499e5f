import type { components } from './types';

/** The nouns of the server, as its OpenAPI description has them. */
type Schemas = components['schemas'];

export type Additions = Schemas['Additions'];
export type Latencies = Schemas['Latencies'];
export type Base = Schemas['Base'];
export type Batching = Schemas['Batching'];
export type Candidates = Schemas['Candidates'];
export type Capabilities = Schemas['Capabilities'];
export type CatalogueEntry = Schemas['CatalogueEntry'];
export type Change = Schemas['Change'];
export type Check = Schemas['Check'];
export type ContractReport = Schemas['ContractReport'];
export type Deletion = Schemas['Deletion'];
export type Deployment = Schemas['Deployment'];
export type Environment = Schemas['Environment'];
export type EnvironmentSpec = Schemas['EnvironmentSpec'];
export type Finding = Schemas['Finding'];
export type FreezePreview = Schemas['FreezePreview'];
export type Handler = Schemas['Handler'];
export type Imported = Schemas['Imported'];
export type InventoryDiff = Schemas['InventoryDiff'];
export type KernelStatus = Schemas['KernelStatus'];
export type LeftOut = Schemas['LeftOut'];
export type LiveExport = Schemas['LiveExport'];
export type LiveModels = Schemas['LiveModels'];
export type LimitChoice = Schemas['LimitChoice'];
export type Limits = Schemas['GivenLimits'];
export type ModelPackage = Schemas['ModelPackage'];
export type Operation = Schemas['Operation'];
export type Plan = Schemas['Plan'];
export type ReproduceReport = Schemas['ReproduceReport'];
export type Revision = Schemas['Revision'];
export type SecretRequest = Schemas['SecretRequest'];
export type Snapshot = Schemas['Snapshot'];
export type TargetInfo = Schemas['TargetInfo'];

/** The engine as the server finds it. */
export interface IEngine {
  capabilities: Capabilities | null;
  problem: { message: string; hint: string } | null;
  containers: number;
  version: string;
}

/** The answer of a deployment to one request. */
export interface IInvocation {
  status: number;
  content_type: string;
  body: string;
  seconds: number;
  /** Of all requests, where there were several. */
  latencies: Latencies;
}

/** What a model package is made of. */
export interface IPackageRequest {
  snapshot: string;
  name: string;
  model: string[];
  handler: Handler;
  sample: string;
  expected: string;
  content_type: string;
  also: string[];
  batching: Batching;
}

/** What a deployment is made of. */
export interface IDeploymentRequest {
  package: string;
  target: string;
  name: string;
  options: Record<string, unknown>;
}
