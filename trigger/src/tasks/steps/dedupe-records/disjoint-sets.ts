/** Union-find over the rows 0, 1, 2 …: nearly linear in time, two numbers a row. */
export class DisjointSets {
  private readonly parents: Int32Array;
  private readonly sizes: Int32Array;

  constructor(rowCount: number) {
    this.parents = Int32Array.from({ length: rowCount }, (_, row) => row);
    this.sizes = new Int32Array(rowCount).fill(1);
  }

  join(a: number, b: number): void {
    const [rootA, rootB] = [this.find(a), this.find(b)];
    if (rootA === rootB) return;
    const [sizeA, sizeB] = [this.sizes[rootA] as number, this.sizes[rootB] as number];
    const [large, small] = sizeA >= sizeB ? [rootA, rootB] : [rootB, rootA];
    this.parents[small] = large;
    this.sizes[large] = sizeA + sizeB;
  }

  /** The sets of two or more rows, ordered by their first row; the rows of a set ascend. */
  groups(): number[][] {
    const members = new Map<number, number[]>();
    for (let row = 0; row < this.parents.length; row++) {
      const root = this.find(row);
      if (this.sizes[root] === 1) continue;
      const list = members.get(root);
      if (list === undefined) members.set(root, [row]);
      else list.push(row);
    }
    return [...members.values()];
  }

  private find(row: number): number {
    let root = row;
    while (this.parents[root] !== root) root = this.parents[root] as number;
    for (let at = row; at !== root;) {
      const next = this.parents[at] as number;
      this.parents[at] = root;
      at = next;
    }
    return root;
  }
}
