// What everything that writes HTML from notebooks needs.

/** Text that may stand in HTML, also as an attribute's value. */
export const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** A cell's source; notebooks hold it as lines or as one text. */
export const sourceOf = (cell) => [].concat(cell.source).join('');

/** A whole document. `head` and `body` are HTML, `title` is text. */
export function htmlPage({ title, head, body, bodyClass = '' }) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
${head}</head>
<body${bodyClass ? ` class="${bodyClass}"` : ''}>
${body}
</body>
</html>
`;
}
