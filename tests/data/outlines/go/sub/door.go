package sub

⟨Class Door¦type Door int⟩

⟨Function Close¦func Close() {}⟩
