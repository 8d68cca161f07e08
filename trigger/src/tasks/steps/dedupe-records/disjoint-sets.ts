/** Union-find over the rows 0, 1, 2 …: nearly linear in time, two numbers a row. */
export class DisjointSets {
  private readonly parents: number[] = [];
  private readonly sizes: number[] = [];

  add(): number {
    this.sizes.push(1);
    return this.parents.push(this.parents.length) - 1;
  }

  join(a: number, b: number): void {
    const [rootA, rootB] = [this.find(a), this.find(b)];
    if (rootA === rootB) return;
    const [large, small] = this.size(rootA) >= this.size(rootB) ? [rootA, rootB] : [rootB, rootA];
    this.parents[small] = large;
    this.sizes[large] = this.size(large) + this.size(small);
  }

  /** The sets of two or more rows, ordered by their first row; the rows of a set ascend. */
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
