⟨Function reallyShut¦function reallyShut() {}⟩
export { reallyShut as shut };
export default 3;
