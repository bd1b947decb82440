import { newCommand, type Register } from '../command';
/** `netssm demo`. */
export const registerDemo: Register = (program, finish) => {
  newCommand(program, 'demo', 'the main job on the bundled captures', []).action(() => finish(1));
};
