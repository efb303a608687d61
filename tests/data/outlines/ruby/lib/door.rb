⟨Class Door¦class Door
  ⟨Class Handle¦class Handle
    ⟨Function turn¦def self.turn; end⟩
  end⟩
end⟩
