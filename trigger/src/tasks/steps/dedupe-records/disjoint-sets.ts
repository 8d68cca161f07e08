/** Union-find over rows 0, 1, 2 …: near-linear, two numbers per row. */
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
    const [large, small] = this.size(rootA) >= this.size(rootB) ? [rootA, rootB] : [rootB, rootA];
    this.parents[small] = large;
    this.sizes[large] = this.size(large) + this.size(small);
  }

  /** The sets of two and more rows, rows ascending, sets by their first row. */
  groups(): number[][] {
    const members = new Map<number, number[]>();
    for (let row = 0; row < this.parents.length; row++) {
      const root = this.find(row);
      if (this.size(root) === 1) continue;
      const list = members.get(root);
      if (list === undefined) members.set(root, [row]);
      else list.push(row);
    }
    return [...members.values()];
  }

  private find(row: number): number {
    let root = row;
    while (this.parent(root) !== root) root = this.parent(root);
    for (let at = row; at !== root;) {
      const next = this.parent(at);
      this.parents[at] = root;
      at = next;
    }
    return root;
  }

  private parent(row: number): number {
    return this.parents[row] ?? row;
  }

  private size(root: number): number {
    return this.sizes[root] ?? 1;
  }
}
