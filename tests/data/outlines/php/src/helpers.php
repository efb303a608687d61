<?php
namespace Shop\Inner { ⟨Function free¦function free() {}⟩ }
namespace Shop\Tools { ⟨Class Hammer¦trait Hammer { ⟨Function hit¦static function hit($n) { hit(1); }⟩ }⟩ }
