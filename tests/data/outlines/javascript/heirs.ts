import { Base, Opens as O } from "./lib/bases";
import * as all from "./lib/bases";

⟨Class Till¦class Till extends Base<string> implements O, Missing {}⟩
⟨Class Wide¦interface Wide extends all.Opens {}⟩
⟨Class Failed¦class Failed extends Error {}⟩
⟨Class Mixed¦class Mixed extends mixin(Base) implements O {}⟩
