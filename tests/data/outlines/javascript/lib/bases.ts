⟨Class Opens¦export interface Opens {}⟩
⟨Class Base¦export class Base<T> {}⟩
⟨Class Error¦export class Error {}⟩
