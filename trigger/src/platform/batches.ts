const batchSize = 10;

/** Works on ten items at a time. Returns the results of those that succeed; `onFailure` learns of the others. */
export async function settleInBatches<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
  onFailure: (item: Item, error: unknown) => void,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += batchSize) {
    const batch = items.slice(from, from + batchSize);
    for (const [index, settled] of (await Promise.allSettled(batch.map(work))).entries()) {
      if (settled.status === "fulfilled") results.push(settled.value);
      else onFailure(batch[index] as Item, settled.reason);
    }
  }
  return results;
}
