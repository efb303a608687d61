<?php

namespace Shop\Bases;

⟨Class Opens¦interface Opens {}⟩
⟨Class Mixes¦trait Mixes {}⟩
⟨Class Base¦class Base {}⟩
⟨Class Exception¦class Exception {}⟩
⟨Class Till¦class Till extends Base implements Opens, \Countable { use Mixes; }⟩
⟨Class Wide¦interface Wide extends Opens {}⟩
⟨Class Size¦enum Size: string implements \Shop\Bases\Opens {}⟩
⟨Class Wrong¦class Wrong extends \Exception {}⟩
