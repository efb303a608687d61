import base, { shut as close } from "./lib/door.js";
import * as tools from "./lib/tools";
const fs = require("fs"), { turn } = require("./lib/more");

/** Opens doors.
 * Twice. */
⟨Class Box¦export default class Box extends base.Thing {
  ⟨Attribute #size¦#size = 1⟩;
  ⟨Function handler¦handler = () => this.open()⟩;
  ⟨Function constructor¦constructor() { close(); }⟩
  // not two lines

  ⟨Function open¦static open() { tools.turn(); helper(); fs.helper(); turn(); }⟩
  ⟨Function "quoted name"¦"quoted name"() {}⟩
}⟩

// adds
const ⟨Function add¦add = (a, b) => {
  ⟨Function inner¦const inner = function () { add(1, 2); };⟩
  inner();
  return new Box();
}⟩, other = 1;

⟨Function helper¦function helper(add) { add(); each.open(); }⟩
⟨Function Box.late¦Box.prototype.late = function () { helper(); this.open(); };⟩
⟨Function named¦module.exports.named = async () => helper();⟩
const table = { ⟨Function first¦first() {}⟩, ⟨Function second¦second: function* () {}⟩, third: 3 };
⟨Class Late¦const Late = class { ⟨Function m¦m() {}⟩ };⟩
