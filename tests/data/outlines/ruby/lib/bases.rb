⟨Class Bases¦module Bases
  ⟨Class Opens¦module Opens
  end⟩
  ⟨Class Base¦class Base
  end⟩
  ⟨Class Till¦class Till < Base
    include Opens
  end⟩
end⟩
⟨Class Bases.Other¦class Bases::Other < Bases::Till
  extend Bases::Opens
end⟩
⟨Class Odd¦class Odd < StandardError
end⟩
