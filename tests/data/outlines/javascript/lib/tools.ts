export * from "./more";
⟨Class Tool¦export interface Tool<T> { ⟨Attribute name¦name: string⟩; ⟨Function use¦use(what: { size: number }): void⟩; }⟩
⟨Class Base¦export abstract class Base<T> implements Tool<T> {
  ⟨Attribute x¦private x: number = 1⟩;
  ⟨Function constructor¦constructor(public y: string) {}⟩
  ⟨Function use¦abstract use(what: T): void⟩;
  ⟨Function go¦go?(): void { this.use(null); }⟩
}⟩
⟨Class Kind¦export enum Kind { A, B = 2 }⟩
⟨Class Alias¦type Alias = { ⟨Attribute key¦key: string⟩ };⟩
namespace Deep.Er { ⟨Function f¦export function f(): void { g(); }⟩ ⟨Function g¦function g() {}⟩ }
⟨Function outside¦declare function outside(x: number): void;⟩
function over(x: string): void;
⟨Function over¦function over(x: any) { Deep.Er.f(); }⟩
⟨Class Marked¦@decorated
class Marked { ⟨Attribute field¦@input() field: string⟩;
  ⟨Function method¦@bound
  method() {}⟩ }⟩
