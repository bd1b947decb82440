export async function validateSet(_folder: string): Promise<boolean> {
  return true;
}
