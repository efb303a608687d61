<?php
namespace Shop\Inner;

use Shop\Tools\Hammer as Tool, Shop\Tools\Missing;
require_once __DIR__ . '/helpers.php';

/** A box. */
⟨Class Box¦abstract class Box extends Base implements Holds, Other
{
    use Trait1;
    ⟨Attribute LIMIT¦const LIMIT = 1;⟩
    ⟨Attribute size¦⟨Attribute other¦private ?int $size = 1, $other;⟩⟩

    ⟨Function __construct¦public function __construct(int $n) { $this->fill($n); }⟩
    // fills
    ⟨Function fill¦protected function fill($n): self
    {
        self::make(); static::make(); parent::make(); $n->make(); Tool::hit(1); \Shop\Inner\free(); free(); Missing::hit();
        $f = function ($x) { return $this->fill($x); };
        $f(1);
        return new Box(1);
    }⟩
    ⟨Function make¦static function make() {}⟩
    ⟨Function later¦abstract function later();⟩
}⟩
⟨Class Holds¦interface Holds { ⟨Function hold¦function hold();⟩ }⟩
⟨Class Kind¦enum Kind: string { ⟨Attribute A¦case A = 'a';⟩ ⟨Function label¦function label() { return self::A; }⟩ }⟩
