/** JSON with two spaces, but lists of plain values and short objects on one line: tables stay readable, files small. */
export function compactJson(value: unknown, width = 120): string {
  const write = (part: unknown, indent: string): string => {
    const line = JSON.stringify(part) ?? 'null';
    if (part === null || typeof part !== 'object') return line;
    const plain = Object.values(part).every((each) => each === null || typeof each !== 'object');
    if ((Array.isArray(part) && plain) || line.length + indent.length <= width) return line;
    const deeper = `${indent}  `;
    const inner = Array.isArray(part)
      ? part.map((each) => `${deeper}${write(each, deeper)}`)
      : Object.entries(part)
          .filter(([, each]) => each !== undefined)
          .map(([key, each]) => `${deeper}${JSON.stringify(key)}: ${write(each, deeper)}`);
    const [open, close] = Array.isArray(part) ? '[]' : '{}';
    return `${open}\n${inner.join(',\n')}\n${indent}${close}`;
  };
  return `${write(value, '')}\n`;
}
