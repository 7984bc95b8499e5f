import { LabIcon } from '@jupyterlab/ui-components';

import exportSvg from '../style/icons/export.svg';
import freezeSvg from '../style/icons/freeze.svg';
import layersSvg from '../style/icons/layers.svg';

export const layersIcon = new LabIcon({
  name: 'jupyter-mlops:layers',
  svgstr: layersSvg
});

export const freezeIcon = new LabIcon({
  name: 'jupyter-mlops:freeze',
  svgstr: freezeSvg
});

export const exportIcon = new LabIcon({
  name: 'jupyter-mlops:export',
  svgstr: exportSvg
});
