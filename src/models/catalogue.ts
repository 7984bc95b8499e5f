import type { MlopsClient } from '../api/client';
import type { CatalogueEntry } from '../api/nouns';
import { Collection } from './collection';

/** The snapshots of one project in a registry. */
export class CatalogueModel extends Collection<CatalogueEntry> {
  constructor(client: MlopsClient) {
    super(async () => (this._project ? client.catalogue(this._project) : []));
  }

  /** `registry/team/name`; empty until one is chosen. */
  get project(): string {
    return this._project;
  }
  set project(value: string) {
    if (value !== this._project) {
      this._project = value;
      this.reset();
      void this.refresh();
    }
  }

  private _project = '';
}
