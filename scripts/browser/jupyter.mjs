// What a driver needs to know of each front end, as expressions for its page.

/** Text of the bar of a running training or of any other progress: `<progress>` has siblings that say how far. */
const LIVE = `(() => { const bar = [...document.querySelectorAll('progress')].at(-1);
  return bar && bar.value < bar.max ? bar.parentElement.textContent.trim() : ''; })()`;

/** Outputs as seen: height, and by how much they stick out of what holds them without a way to scroll there. */
const outputs = (selector) => `[...document.querySelectorAll(${JSON.stringify(selector)})].map((node) => {
  const scrolls = (n) => /auto|scroll|hidden/.test(getComputedStyle(n).overflowX);
  const holder = node.closest('.jp-OutputArea-output, .output_subarea') ?? node;
  const excess = scrolls(holder) ? 0 : holder.scrollWidth - holder.clientWidth;
  const beyond = node.getBoundingClientRect().right - document.documentElement.clientWidth;
  const scripts = node.textContent.trim() === '' && !node.querySelector('svg, img, table, canvas, progress');
  return { height: scripts && !node.querySelector('*:not(script)') ? 99 : node.getBoundingClientRect().height,
    overflow: Math.max(excess, beyond), text: node.textContent.trim().slice(0, 50) };
})`;

/** What scrolls when a notebook is scrolled: the nearest such element around its first cell. */
const SCROLLER = `let n = document.querySelector('.jp-Notebook .jp-Cell');
  while (n && !(n.scrollHeight > n.clientHeight + 50 && /auto|scroll/.test(getComputedStyle(n).overflowY))) n = n.parentElement;
  n ??= document.scrollingElement`;

const lab = {
  name: 'lab',
  argv: [
    '--IdentityProvider.token=',
    '--ServerApp.password=',
    '--ServerApp.disable_check_xsrf=True',
    '--LabApp.expose_app_in_browser=True',
  ],
  path: (file) => `/lab/tree/${file}?reset`,
  ready: `window.jupyterapp && jupyterapp.shell.currentWidget && jupyterapp.shell.currentWidget.context &&
    jupyterapp.shell.currentWidget.context.isReady &&
    jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'`,
  kernel: `jupyterapp.shell.currentWidget.sessionContext.session.kernel.name`,
  runAll: `(() => { window.netssmRun = jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.netssmDone = true; });
    return true; })()`,
  state: `({ idle: Boolean(window.netssmDone), live: ${LIVE} })`,
  interrupt: `jupyterapp.commands.execute('notebook:interrupt-kernel').then(() => true)`,
  cells: `jupyterapp.shell.currentWidget.content.widgets.map((cell) => ({
    code: cell.model.type === 'code' && cell.model.sharedModel.getSource().trim() !== '',
    count: cell.model.executionCount ?? 0,
    error: cell.model.type === 'code'
      ? cell.model.outputs.toJSON().filter((o) => o.output_type === 'error' || o.name === 'stderr').map((o) => o.evalue ?? [].concat(o.text).join('')).join('') : '' }))`,
  ask: (expression) => `new Promise((resolve) => {
    const future = jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code: ${JSON.stringify(`console.log(${expression})`)} });
    let text = ''; future.onIOPub = ({ content }) => { if (content.text) text += content.text; };
    future.done.then(() => resolve(text), (error) => resolve(text || String(error))); })`,
  outputs: outputs('.jp-OutputArea-output > :not(script, style), .jp-OutputArea-output:not(:has(> *))'),
  top: `(() => { ${SCROLLER}; n.scrollTop = 0; return true; })()`,
  pages: `(() => { ${SCROLLER}; return Math.floor(n.scrollHeight / n.clientHeight); })()`,
  scroll: (i) => `(() => { ${SCROLLER}; n.scrollTop = ${i} * n.clientHeight; return true; })()`,
  shutdown: `jupyterapp.shell.currentWidget.context.save().then(() => jupyterapp.shell.currentWidget.sessionContext.shutdown()).then(() => true)`,
};

const notebook = {
  name: 'notebook',
  argv: ['--NotebookApp.token=', '--NotebookApp.password=', '--NotebookApp.disable_check_xsrf=True'],
  path: (file) => `/notebooks/${file}`,
  ready: `window.Jupyter && Jupyter.notebook && Jupyter.notebook._fully_loaded && Jupyter.notebook.kernel &&
    Jupyter.notebook.kernel.is_connected() && Jupyter.notebook.kernel.info_reply.implementation`,
  kernel: `Jupyter.notebook.kernel.name`,
  runAll: `(() => { Jupyter.notebook.execute_all_cells(); return true; })()`,
  state: `({ idle: document.querySelectorAll('.code_cell.running').length === 0 && !Jupyter.notebook.kernel_busy, live: ${LIVE} })`,
  interrupt: `(() => { Jupyter.notebook.kernel.interrupt(); return true; })()`,
  cells: `Jupyter.notebook.get_cells().map((cell) => ({
    code: cell.cell_type === 'code' && cell.get_text().trim() !== '',
    count: Number(cell.input_prompt_number) || 0,
    error: (cell.output_area?.outputs ?? []).filter((o) => o.output_type === 'error' || o.name === 'stderr').map((o) => o.evalue ?? o.text).join('') }))`,
  ask: (expression) => `new Promise((resolve) => {
    let text = '';
    Jupyter.notebook.kernel.execute(${JSON.stringify(`console.log(${expression})`)}, { iopub: { output: (m) => { text += m.content.text ?? ''; } },
      shell: { reply: () => setTimeout(() => resolve(text), 300) } }, { silent: false }); })`,
  outputs: outputs('.output_subarea > :not(script, style), .output_subarea:not(:has(> *))'),
  top: `(() => { document.getElementById('site').scrollTop = 0; return true; })()`,
  pages: `(() => { const n = document.getElementById('site'); return Math.floor(n.scrollHeight / n.clientHeight); })()`,
  scroll: (i) =>
    `(() => { const n = document.getElementById('site'); n.scrollTop = ${i} * n.clientHeight; return true; })()`,
  shutdown: `new Promise((resolve) => { Jupyter.notebook.save_notebook().then(() => { Jupyter.notebook.session.delete(resolve, resolve); setTimeout(resolve, 3000); }); }).then(() => true)`,
};

export const ADAPTERS = { lab, notebook };
