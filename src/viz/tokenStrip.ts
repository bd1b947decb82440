/** Tokens as a strip of boxes, coloured and named by the field they belong to. */
import { FIELD_COLOURS, fieldKind, textOn } from './fieldColours';
import { escapeText } from './html';
import type { AnnotatedPacket } from './tokenFields';

/** Strips of more tokens than this cut long names; short strips have room for them. */
const MANY_TOKENS = 48;
/** Names up to this length are never cut. */
const SHORT_NAME = 6;

/** One line of tokens. */
export interface TokenRow {
  /** In front of the tokens: the layout's name, the packet's summary. */
  title: string;
  packet: Pick<AnnotatedPacket, 'tokens' | 'fields' | 'refusal'>;
  /** Text of the mark after the last token, `<|pkt|>`; none where absent. */
  end?: string;
  /** A token to frame in red, and why. */
  wrong?: { at: number; message: string };
}

/** HTML without scripts; the field's meaning shows when pointed at. */
export function tokenStrip(rows: readonly TokenRow[]): string {
  const style =
    '<style>.netssm-tokens{font-size:13px}.netssm-tokens .r{margin:.5em 0}.netssm-tokens .l{font-weight:600;margin-bottom:2px}' +
    '.netssm-tokens .s{display:flex;flex-wrap:wrap;gap:5px 3px;align-items:flex-start}.netssm-tokens .g{color:#000;border-radius:3px;padding:1px 3px 2px;border:1px solid #0003}' +
    '.netssm-tokens .g:hover{outline:2px solid #0072b2}.netssm-tokens .n{display:flex;flex-wrap:wrap;gap:2px;font:12px ui-monospace,Menlo,Consolas,monospace}' +
    '.netssm-tokens .n b{font-weight:400;background:#ffffffb0;padding:0 2px;border-radius:2px;min-width:1.6em;text-align:center}.netssm-tokens .n b.w{outline:2px solid #c1121f}' +
    '.netssm-tokens .c{font-size:10.5px;color:#333;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;min-width:2.2em}.netssm-tokens .k .c{contain:inline-size}.netssm-tokens .k .c.q{contain:none}</style>';
  return `<div class="netssm-tokens">${style}${rows.map(rowHtml).join('')}</div>`;
}

function rowHtml({ title, packet, end, wrong }: TokenRow): string {
  const count = packet.tokens.length + (end ? 1 : 0);
  const boxes = packet.fields.map(({ name, protocol, from, to, meaning }) => {
    const kind = fieldKind(name, protocol);
    const tokens = [...packet.tokens.subarray(from, to)]
      .map((token, i) => `<b${wrong?.at === from + i ? ' class="w"' : ''}>${token}</b>`)
      .join('');
    return `<span class="g" style="background:${FIELD_COLOURS[kind]}" title="${escapeText(meaning)}"><span class="n">${tokens}</span><div class="c${name.length <= SHORT_NAME ? ' q' : ''}">${escapeText(name)}</div></span>`;
  });
  if (end)
    boxes.push(
      `<span class="g" style="background:${FIELD_COLOURS.mark};color:${textOn('mark')}" title="end of the packet"><span class="n">${escapeText(end)}</span></span>`,
    );
  const note = packet.refusal ? `<div>⚠ ${escapeText(packet.refusal)}</div>` : '';
  const why = wrong
    ? `<div style="border-left:4px solid #c1121f;padding-left:.6em">⚠ ${escapeText(wrong.message)}</div>`
    : '';
  return `<div class="r"><div class="l">${escapeText(title)} <small>· ${count} tokens</small></div><div class="s${count > MANY_TOKENS ? ' k' : ''}">${boxes.join('')}</div>${note}${why}</div>`;
}

/** The same as text: `sequence number 249 0 0 0 1`, a field a line. */
export function tokenText({ title, packet, end, wrong }: TokenRow): string {
  const lines = packet.fields.map(
    ({ name, from, to, meaning }) => `  ${name}: ${packet.tokens.subarray(from, to).join(' ')}  (${meaning})`,
  );
  const last = [end ? [`  ${end}`] : [], packet.refusal ? [`  ${packet.refusal}`] : []].flat();
  return [
    title,
    ...lines,
    ...last,
    ...(wrong ? [`  wrong at token ${wrong.at}: ${wrong.message}`] : []),
  ].join('\n');
}
